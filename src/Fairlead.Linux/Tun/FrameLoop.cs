using Fairlead.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Tun;

/// <summary>
/// Reads a device on a thread of its own: a packet's way then has no hand-over between threads, and a busy device can't starve what else runs in the process.
/// </summary>
/// <param name="take">Each frame, in a buffer that may be changed.</param>
/// <param name="tick">About once a second.</param>
/// <param name="lost">The device is gone: the loop has ended.</param>
internal sealed unsafe class FrameLoop(string name, TunFile file, FrameLoop.TakeFrame take, Action tick, Action lost) : IDisposable
{
    private const int TickMilliseconds = 1000;

    private readonly SafeFileHandle wake = Libc.OpenEvent(0, Libc.EventCloseOnExec);
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool stopping;

    internal delegate void TakeFrame(Span<byte> frame);

    public Task Ended => ended.Task;

    public void Start() => new Thread(Run) { IsBackground = true, Name = name }.Start();

    public void Stop()
    {
        stopping = true;
        ulong one = 1;
        Libc.Write(wake, (byte*)&one, sizeof(ulong));
    }

    /// <summary>After the loop has ended.</summary>
    public void Dispose() => wake.Dispose();

    private void Run()
    {
        try
        {
            if (!Read())
            {
                lost();
            }

            ended.SetResult();
        }
        catch (Exception e)
        {
            lost();
            ended.SetException(e);
        }
    }

    /// <returns>False when the device is gone.</returns>
    private bool Read()
    {
        Span<byte> frame = GC.AllocateUninitializedArray<byte>(TunFile.MaxFrame, pinned: true);
        var ticked = Environment.TickCount64;
        while (!stopping)
        {
            var count = file.Read(frame);
            if (count < 0)
            {
                return stopping;
            }

            if (count > 0)
            {
                take(frame[..count]);
            }
            else
            {
                Wait();
            }

            if (Environment.TickCount64 - ticked >= TickMilliseconds)
            {
                ticked = Environment.TickCount64;
                tick();
            }
        }

        return true;
    }

    private void Wait()
    {
        var entries = stackalloc Libc.PollEntry[2];
        entries[0] = new Libc.PollEntry { File = (int)file.Handle.DangerousGetHandle(), Events = Libc.PollIn };
        entries[1] = new Libc.PollEntry { File = (int)wake.DangerousGetHandle(), Events = Libc.PollIn };
        Libc.Poll(entries, 2, TickMilliseconds);
    }
}
