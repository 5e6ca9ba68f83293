using System.Runtime.InteropServices;
using Fairlead.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Enclosure;

/// <summary>Waits for the end of a process that need not be a child of this one (pidfd_open(2), Linux 5.3). A process id that is used again doesn't deceive it.</summary>
public sealed class ProcessEnd : IDisposable
{
    private const int Forever = -1;

    private readonly SafeFileHandle process;
    private readonly SafeFileHandle wake;
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread waiter;

    private ProcessEnd(SafeFileHandle process, SafeFileHandle wake, int pid)
    {
        this.process = process;
        this.wake = wake;
        waiter = new Thread(Wait) { IsBackground = true, Name = $"end of {pid}" };
        waiter.Start();
    }

    /// <summary>Completes when it has ended; never when this is disposed before.</summary>
    public Task Ended => ended.Task;

    /// <exception cref="LinuxException">There is no such process.</exception>
    public static ProcessEnd Watch(int pid)
    {
        var process = Libc.OpenProcess(pid);
        if (process.IsInvalid)
        {
            var failure = Errno.Failure($"process {pid} can't be watched");
            process.Dispose();
            throw failure;
        }

        return new ProcessEnd(process, Libc.OpenEvent(0, Libc.EventCloseOnExec), pid);
    }

    public unsafe void Dispose()
    {
        ulong one = 1;
        Libc.Write(wake, (byte*)&one, sizeof(ulong));
        waiter.Join();
        process.Dispose();
        wake.Dispose();
    }

    private unsafe void Wait()
    {
        var entries = stackalloc Libc.PollEntry[2];
        entries[0] = new Libc.PollEntry { File = (int)process.DangerousGetHandle(), Events = Libc.PollIn };
        entries[1] = new Libc.PollEntry { File = (int)wake.DangerousGetHandle(), Events = Libc.PollIn };
        while (Libc.Poll(entries, 2, Forever) < 0 && Marshal.GetLastPInvokeError() == Errno.Interrupted)
        {
            // A signal that concerns another thread.
        }

        if (entries[0].Returned != 0)
        {
            ended.TrySetResult();
        }
    }
}
