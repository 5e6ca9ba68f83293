using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Native;

/// <summary>What System.Diagnostics.Process doesn't offer: execve(2), pidfd_open(2), capabilities(7), socketpair(2).</summary>
internal static unsafe partial class Libc
{
    public const int SignalPipe = 13;
    public const int SetDescriptorFlags = 2;            // F_SETFD
    public const int CapabilityAmbient = 47;            // PR_CAP_AMBIENT
    public const int CapabilityAmbientClearAll = 4;     // PR_CAP_AMBIENT_CLEAR_ALL
    public const int SetMask = 2;                       // SIG_SETMASK

    /// <summary>sigset_t of glibc: 1 024 bits.</summary>
    public const int SignalSetLength = 128;

    private const uint CapabilityVersion = 0x20080522;  // _LINUX_CAPABILITY_VERSION_3

    /// <summary>The same on every architecture: it is younger than the common table of numbers.</summary>
    private const nint ProcessOpenCall = 434;

    [LibraryImport("libc", EntryPoint = "execve", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Execute(string path, byte** arguments, byte** environment);

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    public static partial nint SetSignal(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    public static partial int SetSignalMask(int how, byte* set, byte* previous);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    public static partial int ProcessControl(int option, nuint argument, nuint second, nuint third, nuint fourth);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int DescriptorControl(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    public static partial int SocketPair(int family, int type, int protocol, int* descriptors);

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Access(string path, int mode);

    [LibraryImport("libc", EntryPoint = "getegid")]
    public static partial uint EffectiveGroup();

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUser();

    /// <summary>Gives up every capability of the calling thread.</summary>
    public static int DropCapabilities()
    {
        var header = new CapabilityHeader { Version = CapabilityVersion };
        var nothing = stackalloc uint[6];
        new Span<uint>(nothing, 6).Clear();
        return SetCapabilities(&header, nothing);
    }

    /// <summary>A descriptor (close-on-exec) that becomes readable when the process has ended.</summary>
    public static SafeFileHandle OpenProcess(int pid) => new((int)SystemCall(ProcessOpenCall, pid, null, 0), ownsHandle: true);

    [LibraryImport("libc", EntryPoint = "capset", SetLastError = true)]
    private static partial int SetCapabilities(CapabilityHeader* header, uint* data);

    [StructLayout(LayoutKind.Sequential)]
    private struct CapabilityHeader
    {
        public uint Version;
        public int Process;
    }
}
