using System.Runtime.InteropServices;

namespace Fairlead.Linux.Native;

/// <summary>prlimit(2).</summary>
internal static unsafe partial class Libc
{
    public const int LimitOpenFiles = 7;        // RLIMIT_NOFILE on x86 and ARM

    /// <param name="process">0 is the calling one.</param>
    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    public static partial int Limit(int process, int resource, ResourceLimit* replacement, ResourceLimit* current);

    /// <summary>struct rlimit on 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ResourceLimit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
