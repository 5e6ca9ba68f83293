using Fairlead.Linux.Native;

namespace Fairlead.Linux.Peers;

/// <summary>Who this process runs as.</summary>
public static class ProcessIdentity
{
    /// <summary>The effective uid (credentials(7)).</summary>
    public static uint User => Libc.EffectiveUser();
}
