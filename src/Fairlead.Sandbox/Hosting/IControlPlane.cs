using System.Net;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Sandbox.Hosting;

/// <summary>The API server as the rest of the cluster needs it.</summary>
internal interface IControlPlane : IAsyncDisposable
{
    IObjectStore Store { get; }

    /// <summary>PEM.</summary>
    string CertificateAuthority { get; }

    string IssueToken(TokenWish wish);

    /// <summary>Listens, writes the admin's kubeconfig, and returns when requests are answered.</summary>
    Task StartAsync(INodeAgent node, IPEndPoint address, string kubeconfig, CancellationToken cancellationToken);
}
