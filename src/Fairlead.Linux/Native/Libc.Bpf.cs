using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Native;

/// <summary>bpf(2): it has no wrapper in libc. The structures are the parts of <c>union bpf_attr</c> (linux/bpf.h) that are used; the kernel takes the rest for zero.</summary>
internal static unsafe partial class Libc
{
    public const int BpfMapCreateCommand = 0;
    public const int BpfMapLookupCommand = 1;
    public const int BpfMapUpdateCommand = 2;
    public const int BpfMapDeleteCommand = 3;
    public const int BpfProgramLoadCommand = 5;
    public const int BpfMapUpdateBatchCommand = 26;
    public const int BpfMapDeleteBatchCommand = 27;
    public const int BpfLinkCreateCommand = 28;

    private static readonly nint BpfCall = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 321,
        Architecture.Arm64 or Architecture.RiscV64 or Architecture.LoongArch64 => 280,
        var other => throw new PlatformNotSupportedException($"bpf(2) on {other}"),
    };

    /// <returns>The call's result, -1 for an error.</returns>
    public static int Bpf<T>(int command, ref T attributes)
        where T : unmanaged
    {
        fixed (T* pointer = &attributes)
        {
            return (int)SystemCall(BpfCall, command, pointer, sizeof(T));
        }
    }

    /// <summary>For commands that make a descriptor (close-on-exec).</summary>
    public static SafeFileHandle BpfOpen<T>(int command, ref T attributes)
        where T : unmanaged => new(Bpf(command, ref attributes), ownsHandle: true);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint command, void* attributes, nint size);

    [StructLayout(LayoutKind.Sequential)]
    public struct BpfMapCreate
    {
        public uint Type;
        public uint KeySize;
        public uint ValueSize;
        public uint MaxEntries;
        public uint Flags;
        public uint InnerMap;
        public uint NumaNode;
        public fixed byte Name[16];
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct BpfMapElement
    {
        public uint Map;
        private readonly uint padding;
        public ulong Key;
        public ulong Value;
        public ulong Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct BpfMapBatch
    {
        public ulong InBatch;
        public ulong OutBatch;
        public ulong Keys;
        public ulong Values;
        public uint Count;
        public uint Map;
        public ulong ElementFlags;
        public ulong Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct BpfProgramLoad
    {
        public uint Type;
        public uint InstructionCount;
        public ulong Instructions;
        public ulong License;
        public uint LogLevel;
        public uint LogSize;
        public ulong LogBuffer;
        public uint KernelVersion;
        public uint Flags;
        public fixed byte Name[16];
        public uint InterfaceIndex;
        public uint ExpectedAttachType;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct BpfLinkCreate
    {
        public uint Program;
        public uint Target;
        public uint AttachType;
        public uint Flags;
    }
}
