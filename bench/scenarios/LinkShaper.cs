using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Fairlead.Testbed;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Bench.Scenarios;

/// <summary>
/// A link with a delay: two TUN devices, one here and one moved to the other host, and a process that passes packets between them, each
/// after a fixed time, in order, from a bounded queue (Documentation/networking/tuntap.rst). It replaces the cable between the hosts.
/// </summary>
internal static partial class LinkShaper
{
    private const int QueuedPackets = 8192;
    private const uint SetInterface = 0x400454ca; // TUNSETIFF
    private const short TunWithoutHeader = 0x1001; // IFF_TUN | IFF_NO_PI

    /// <summary>Replaces the laptop's cable by a shaped one; its new address is 10.99.0.2.</summary>
    public static async Task<Process> StartAsync(Host world, Host laptop, double oneWayMilliseconds)
    {
        var process = world.Start(Environment.ProcessPath!, "link-shaper", laptop.Pid.ToString(CultureInfo.InvariantCulture), oneWayMilliseconds.ToString(CultureInfo.InvariantCulture));
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20));
        if (line != "ready")
        {
            throw new InvalidOperationException($"no shaped link: {line} {await process.StandardError.ReadToEndAsync()}");
        }

        // Seen from the real machine: only there do both hosts' process ids mean something.
        (await Shell.RunAsync(["nsenter", "-t", $"{world.Pid}", "-n", "ip", "link", "set", "wan1", "netns", $"{laptop.Pid}"])).ShouldSucceed();
        (await world.ShellAsync("ip addr add 10.99.0.1/24 dev wan0 && ip link set wan0 up txqueuelen 10000 && nft add rule ip flt post ip saddr 10.99.0.0/24 masquerade")).ShouldSucceed();
        (await laptop.ShellAsync("ip link del eth0; ip addr add 10.99.0.2/24 dev wan1 && ip link set wan1 up txqueuelen 10000 && ip route add default via 10.99.0.1")).ShouldSucceed();
        return process;
    }

    public static int Run(int peer, double oneWayMilliseconds)
    {
        _ = peer;
        using var here = OpenTun("wan0");
        using var there = OpenTun("wan1");
        var ticks = (long)(oneWayMilliseconds / 1000 * Stopwatch.Frequency);
        var threads = new[] { Forward(here, there, ticks), Forward(there, here, ticks) };
        Console.WriteLine("ready");
        foreach (var thread in threads)
        {
            thread.Join();
        }

        return 0;
    }

    private static Thread Forward(SafeFileHandle from, SafeFileHandle to, long delay)
    {
        var queue = new BlockingCollection<(long Due, byte[] Packet, int Length)>(QueuedPackets);
        var pool = new ConcurrentBag<byte[]>();
        var reader = new Thread(() =>
        {
            while (true)
            {
                var packet = pool.TryTake(out var old) ? old : new byte[2048];
                var length = (int)Read(from, packet, packet.Length);
                if (length <= 0)
                {
                    return; // the device is gone
                }

                if (!queue.TryAdd((Stopwatch.GetTimestamp() + delay, packet, length)))
                {
                    pool.Add(packet);
                }
            }
        }) { IsBackground = true };
        var writer = new Thread(() =>
        {
            foreach (var (due, packet, length) in queue.GetConsumingEnumerable())
            {
                for (var left = due - Stopwatch.GetTimestamp(); left > 0; left = due - Stopwatch.GetTimestamp())
                {
                    var microseconds = left * 1_000_000 / Stopwatch.Frequency;
                    if (microseconds > 200)
                    {
                        var time = new Timespec { Nanoseconds = (microseconds - 100) * 1000 };
                        _ = NanoSleep(ref time, IntPtr.Zero);
                    }
                    else
                    {
                        Thread.SpinWait(20);
                    }
                }

                _ = Write(to, packet, length); // a full or absent device drops, as a cable would
                pool.Add(packet);
            }
        }) { IsBackground = true };
        reader.Start();
        writer.Start();
        return writer;
    }

    private static SafeFileHandle OpenTun(string name)
    {
        var handle = File.OpenHandle("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite);
        var request = new byte[40];
        Encoding.ASCII.GetBytes(name).CopyTo(request, 0);
        BitConverter.TryWriteBytes(request.AsSpan(16), TunWithoutHeader);
        return Ioctl(handle, SetInterface, request) == 0 ? handle : throw new IOException($"no TUN device {name}: errno {Marshal.GetLastPInvokeError()}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeFileHandle handle, ulong request, byte[] argument);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(SafeFileHandle handle, byte[] buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(SafeFileHandle handle, byte[] buffer, nint length);

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int NanoSleep(ref Timespec time, IntPtr remaining);
}
