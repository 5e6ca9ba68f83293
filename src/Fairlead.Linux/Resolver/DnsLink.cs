using Fairlead.Linux.Native;
using Fairlead.Linux.Tun;
using Fairlead.Platform;

namespace Fairlead.Linux.Resolver;

/// <summary>
/// A network link that carries no traffic: systemd-resolved keeps DNS servers per link, and this one is ours. It is a TUN device of which the kernel takes
/// the link away when this process ends in any way, and resolved with it what it knew of the link.
/// </summary>
internal sealed class DnsLink : IDisposable
{
    public const string DefaultName = "fairlead-dns";

    private readonly TunFile device;

    private DnsLink(TunFile device, string name) => (this.device, Name) = (device, name);

    public string Name { get; }

    /// <summary>Somebody may have deleted it.</summary>
    public bool Exists => Libc.InterfaceIndex(Name) > 0;

    /// <exception cref="HostException">The host can't make TUN devices, or refuses.</exception>
    public static DnsLink Open(string name)
    {
        var device = TunFile.Create(name, out var created);
        return new DnsLink(device, created);
    }

    public void Dispose() => device.Dispose();
}
