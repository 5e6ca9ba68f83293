using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Names;

/// <summary>The real systemd-resolved on a laptop, with dbus and without systemd around it.</summary>
internal static class SystemdResolved
{
    /// <summary>Debian's packages systemd-resolved and libnss-resolve, unpacked by ./test: installed they would take this machine's own resolver over.</summary>
    private static readonly string Unpacked = Path.Combine(Programs.Root, "artifacts", "systemd-resolved");

    /// <summary>Where its programs are, resolvectl(1) among them.</summary>
    public static readonly string Binaries = $"{Unpacked}/usr/bin";

    /// <summary>Where nss-resolve(8) is.</summary>
    public static readonly string Libraries = $"{Unpacked}/usr/lib/x86_64-linux-gnu";

    /// <summary>It answers at its stub and asks <see cref="NamesLaptop.NetworkServer"/>, on which a server must run.</summary>
    public static async Task StartAsync(Laptop laptop)
    {
        File.Exists(Path.Combine(Unpacked, "lib/systemd/systemd-resolved")).ShouldBeTrue("./test unpacks systemd-resolved into artifacts");
        (await laptop.Host.ShellAsync($"""
            set -e
            export PATH={Binaries}:$PATH
            mkdir -p /run/dbus /run/systemd/resolve /etc/dbus-1/system.d
            cp {Unpacked}/usr/share/dbus-1/system.d/org.freedesktop.resolve1.conf /etc/dbus-1/system.d/
            cp {Unpacked}/etc/systemd/resolved.conf /etc/systemd/
            getent passwd systemd-resolve > /dev/null || useradd --system --user-group systemd-resolve
            chown systemd-resolve:systemd-resolve /run/systemd/resolve
            dbus-daemon --system --fork --nopidfile
            rm -f /etc/resolv.conf
            ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
            setsid {Unpacked}/lib/systemd/systemd-resolved > /run/resolved.log 2>&1 < /dev/null &
            for i in $(seq 200); do [ -e /run/systemd/resolve/stub-resolv.conf ] && break; sleep 0.05; done
            resolvectl dns eth0 {NamesLaptop.NetworkServer}
            resolvectl domain eth0 '~.'
            """)).ShouldSucceed();
    }

    /// <summary>Programs find it by nsswitch.conf and never look at resolv.conf.</summary>
    public static async Task UseModuleAsync(Laptop laptop) =>
        (await laptop.Host.ShellAsync("sed -i 's/^hosts:.*/hosts: files resolve [!UNAVAIL=return] dns/' /etc/nsswitch.conf")).ShouldSucceed();
}
