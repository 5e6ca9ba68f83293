using System.Text;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Bpf;

/// <summary>A loaded program and its attachment, both held by descriptors only: closing them, or the end of the process, undoes both.</summary>
internal sealed unsafe class BpfProgram : IDisposable
{
    private const uint SocketLookupType = 30;       // BPF_PROG_TYPE_SK_LOOKUP
    private const uint SocketLookupAttach = 36;     // BPF_SK_LOOKUP
    private const int LogSize = 1 << 16;

    private readonly SafeFileHandle program;
    private SafeFileHandle? link;

    private BpfProgram(SafeFileHandle program) => this.program = program;

    /// <param name="name">For bpftool; up to 15 of letters, digits and _.</param>
    /// <exception cref="HostException">The kernel refused; what the verifier said is the hint.</exception>
    public static BpfProgram LoadSocketLookup(string name, ReadOnlySpan<ulong> instructions)
    {
        var license = "none\0"u8; // no helper that is used is only for GPL programs
        fixed (ulong* instructionPointer = instructions)
        fixed (byte* licensePointer = license)
        {
            var attributes = new Libc.BpfProgramLoad
            {
                Type = SocketLookupType,
                ExpectedAttachType = SocketLookupAttach,
                InstructionCount = (uint)instructions.Length,
                Instructions = (ulong)instructionPointer,
                License = (ulong)licensePointer,
            };
            Encoding.ASCII.GetBytes(name, new Span<byte>(attributes.Name, 15));
            var handle = Libc.BpfOpen(Libc.BpfProgramLoadCommand, ref attributes);
            if (!handle.IsInvalid)
            {
                return new BpfProgram(handle);
            }

            // Once more with a log: the kernel explains only on request.
            var errno = Errno.Last;
            var log = new byte[LogSize];
            fixed (byte* logPointer = log)
            {
                attributes.LogLevel = 1;
                attributes.LogSize = LogSize;
                attributes.LogBuffer = (ulong)logPointer;
                using var again = Libc.BpfOpen(Libc.BpfProgramLoadCommand, ref attributes);
            }

            var failure = Errno.Failure($"can't load the BPF program {name}", errno);
            var explanation = Encoding.ASCII.GetString(log.AsSpan(0, Math.Max(0, log.AsSpan().IndexOf((byte)0)))).Trim();
            throw explanation.Length == 0 ? failure : new LinuxException(failure.Message, errno) { Hint = $"The verifier said: {explanation}" };
        }
    }

    /// <summary>Attaches to the calling thread's network namespace.</summary>
    /// <exception cref="HostException">The kernel refused.</exception>
    public void AttachToCurrentNamespace()
    {
        using var networkNamespace = File.OpenHandle("/proc/thread-self/ns/net");
        var attributes = new Libc.BpfLinkCreate
        {
            Program = (uint)program.DangerousGetHandle(),
            Target = (uint)networkNamespace.DangerousGetHandle(),
            AttachType = SocketLookupAttach,
        };
        var created = Libc.BpfOpen(Libc.BpfLinkCreateCommand, ref attributes);
        link = created.IsInvalid ? throw Errno.Failure("can't attach the BPF program to the network namespace") : created;
    }

    public void Dispose()
    {
        link?.Dispose();
        program.Dispose();
    }
}
