using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Native;

/// <summary>netlink(7): .NET's sockets don't know its addresses.</summary>
internal static unsafe partial class Libc
{
    public const int NetlinkFamily = 16;                // AF_NETLINK
    public const int NetlinkRoute = 0;                  // NETLINK_ROUTE
    public const int RawCloseOnExec = 3 | 0x80000;      // SOCK_RAW | SOCK_CLOEXEC
    public const int SolNetlink = 270;
    public const int NetlinkAddMembership = 1;
    public const int NetlinkStrictCheck = 12;           // NETLINK_GET_STRICT_CHK
    public const int SoReceiveBuffer = 8;
    public const int SoReceiveTimeout = 20;
    public const int MessageTruncateLength = 0x20;      // MSG_TRUNC: the answer is the real length

    public const int ClockMonotonic = 1;
    public const int ClockBootTime = 7;

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial SafeFileHandle OpenSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(SafeFileHandle socket, in NetlinkAddress address, uint length);

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    public static partial int NameOf(SafeFileHandle socket, ref NetlinkAddress address, ref uint length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetOption(SafeFileHandle socket, int level, int name, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "sendto", SetLastError = true)]
    public static partial nint SendTo(SafeFileHandle socket, ReadOnlySpan<byte> data, nuint length, int flags, in NetlinkAddress to, uint toLength);

    [LibraryImport("libc", EntryPoint = "recvfrom", SetLastError = true)]
    public static partial nint ReceiveFrom(SafeFileHandle socket, Span<byte> data, nuint length, int flags, ref NetlinkAddress from, ref uint fromLength);

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    public static partial int GetClock(int clock, out ClockTime time);

    /// <summary>struct sockaddr_nl.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct NetlinkAddress
    {
        public ushort Family;
        private readonly ushort padding;

        /// <summary>0 is the kernel.</summary>
        public uint Port;
        public uint Groups;
    }

    /// <summary>struct timespec on 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ClockTime
    {
        public long Seconds;
        public long Nanoseconds;

        public readonly TimeSpan Span => TimeSpan.FromSeconds(Seconds) + TimeSpan.FromTicks(Nanoseconds / 100);
    }
}
