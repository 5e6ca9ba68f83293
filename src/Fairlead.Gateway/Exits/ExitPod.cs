using System.Net;

namespace Fairlead.Gateway.Exits;

/// <summary>A pod that can be an exit.</summary>
internal sealed record ExitPod(string Namespace, string Name, string Uid, IReadOnlyList<IPAddress> Addresses)
{
    public override string ToString() => $"{Namespace}/{Name}";
}
