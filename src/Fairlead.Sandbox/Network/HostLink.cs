using System.Security.Cryptography;
using System.Text;

namespace Fairlead.Sandbox.Network;

/// <summary>The host's end of the cable to the cluster.</summary>
internal static class HostLink
{
    /// <summary>At most 15 characters (IFNAMSIZ - 1), the same for the same sandbox.</summary>
    internal static string NameOf(string sandbox) => $"fls-{Digest(sandbox)}";

    internal static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..8];
}
