using Fairlead.Linux.Native;
using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Tun;

/// <summary>
/// A TUN device (Documentation/networking/tuntap.rst) and the descriptor that it lives by: frames with virtio headers, segments and checksums left to the reader. It belongs to the
/// network namespace of the thread that made it; reading and writing it works from everywhere. Owns the descriptor.
/// </summary>
internal sealed class TunFile : IDisposable
{
    /// <summary>The longest frame: an IPv6 packet of the longest payload. Segments together are no longer either (GSO_LEGACY_MAX_SIZE).</summary>
    public const int MaxFrame = VirtioHeader.Size + IpHeader.V6Length + 65_535;

    private const string Device = "/dev/net/tun";

    public TunFile(SafeFileHandle handle) => Handle = handle;

    public SafeFileHandle Handle { get; }

    /// <param name="name">May hold <c>%d</c>.</param>
    /// <param name="created">The name that it got.</param>
    /// <exception cref="HostException">The host can't or may not.</exception>
    public static TunFile Create(string name, out string created)
    {
        var handle = Libc.Open(Device, Libc.OpenReadWrite | Libc.OpenNonBlocking | Libc.OpenCloseOnExec);
        if (handle.IsInvalid)
        {
            var errno = Errno.Last;
            handle.Dispose();
            throw new HostException(Errno.Failure($"{Device} can't be opened", errno).Message)
            {
                Hint = errno == Errno.NoEntry ? "Load the module ('modprobe tun'); a container needs '--device /dev/net/tun'." : null,
            };
        }

        try
        {
            var request = new Libc.InterfaceRequest { Name = name, Flags = Libc.TunPackets | Libc.TunNoInformation | Libc.TunVirtioHeader };
            if (Libc.Control(handle, Libc.TunSetInterface, ref request) != 0)
            {
                throw Errno.Failure($"the device {name} can't be made");
            }

            created = request.Name;
            if (Libc.Control(handle, Libc.TunSetOffload, Libc.TunChecksum | Libc.TunTcpSegments | Libc.TunUdpSegments) != 0
                && Libc.Control(handle, Libc.TunSetOffload, Libc.TunChecksum | Libc.TunTcpSegments) != 0)
            {
                throw Errno.Failure($"{created} can't leave segmentation to us");
            }

            return new TunFile(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <returns>Bytes; 0 when nothing waits; -1 when the device is gone.</returns>
    public unsafe int Read(Span<byte> frame)
    {
        fixed (byte* pointer = frame)
        {
            while (true)
            {
                var count = Libc.Read(Handle, pointer, (nuint)frame.Length);
                if (count >= 0)
                {
                    return (int)count;
                }

                switch (Errno.Last)
                {
                    case Errno.Interrupted:
                        continue;
                    case Errno.Again or Errno.InputOutput:
                        return 0;
                    default:
                        return -1;
                }
            }
        }
    }

    /// <returns>False when the packet was not taken: the device is down, gone or closed here, the kernel short of memory, or the frame nothing it understands.</returns>
    public bool Write(ReadOnlySpan<byte> frame) => Write(frame, []);

    /// <summary>A frame in two parts.</summary>
    public unsafe bool Write(ReadOnlySpan<byte> header, ReadOnlySpan<byte> rest)
    {
        fixed (byte* first = header, second = rest)
        {
            var vectors = stackalloc Libc.IoVector[2];
            vectors[0] = new Libc.IoVector { Base = first, Length = (nuint)header.Length };
            vectors[1] = new Libc.IoVector { Base = second, Length = (nuint)rest.Length };
            try
            {
                return Libc.Write(Handle, vectors, rest.IsEmpty ? 1 : 2) >= 0;
            }
            catch (ObjectDisposedException)
            {
                // Somebody still answers a connection of a capture that is over.
                return false;
            }
        }
    }

    public void Dispose() => Handle.Dispose();
}
