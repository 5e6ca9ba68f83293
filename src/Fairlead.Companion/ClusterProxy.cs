using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Network;
using Fairlead.Kubernetes;

namespace Fairlead.Companion;

/// <summary>The way to API servers through the proxy of the user's environment, whose NO_PROXY is read as kubectl reads it.</summary>
internal static class ClusterProxy
{
    /// <exception cref="FairleadException">HTTPS_PROXY is no URL.</exception>
    public static ClusterConnection OfEnvironment(ClusterConnection connection)
    {
        try
        {
            return connection with { EnvironmentProxy = EnvironmentProxy.Current };
        }
        catch (FormatException e)
        {
            throw new FairleadException(ErrorCategory.NotConnected, "proxy-invalid", "The proxy in your environment makes no sense", e.Message, "Set another HTTPS_PROXY, or none.", e);
        }
    }
}
