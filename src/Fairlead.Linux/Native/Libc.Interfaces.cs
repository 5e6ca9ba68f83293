using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Native;

/// <summary>TUN devices (linux/if_tun.h), with numbers as on x86, ARM and RISC-V.</summary>
internal static unsafe partial class Libc
{
    public const int OpenNonBlocking = 0x800;

    public const nuint TunSetInterface = 0x400454ca;    // TUNSETIFF
    public const nuint TunSetOffload = 0x400454d0;      // TUNSETOFFLOAD
    public const short TunPackets = 1;                  // IFF_TUN
    public const short TunNoInformation = 0x1000;       // IFF_NO_PI
    public const short TunVirtioHeader = 0x4000;        // IFF_VNET_HDR
    public const nint TunChecksum = 1;                  // TUN_F_CSUM
    public const nint TunTcpSegments = 2 | 4 | 8;       // TUN_F_TSO4, TSO6, TSO_ECN
    public const nint TunUdpSegments = 0x20 | 0x40;     // TUN_F_USO4, USO6: Linux 6.2

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(SafeFileHandle file, nuint request, nint value);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(SafeFileHandle file, nuint request, ref InterfaceRequest value);

    [LibraryImport("libc", EntryPoint = "writev", SetLastError = true)]
    public static partial nint Write(SafeFileHandle file, IoVector* vectors, int count);

    /// <returns>0 when there is none of that name in this thread's network namespace.</returns>
    [LibraryImport("libc", EntryPoint = "if_nametoindex", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial uint InterfaceIndex(string name);

    /// <summary>struct ifreq: a name and a union, of which only flags are used.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    public struct InterfaceRequest
    {
        /// <summary>With its terminating zero.</summary>
        public const int NameSize = 16;

        [FieldOffset(0)]
        private fixed byte name[NameSize];

        [FieldOffset(16)]
        public short Flags;

        /// <exception cref="ArgumentException">Too long for the kernel.</exception>
        public string Name
        {
            readonly get
            {
                fixed (byte* bytes = name)
                {
                    return Marshal.PtrToStringUTF8((nint)bytes)!;
                }
            }

            set
            {
                fixed (byte* bytes = name)
                {
                    var span = new Span<byte>(bytes, NameSize);
                    span.Clear();
                    if (!Encoding.UTF8.TryGetBytes(value, span[..(NameSize - 1)], out _))
                    {
                        throw new ArgumentException($"'{value}' is too long for an interface.", nameof(value));
                    }
                }
            }
        }
    }
}
