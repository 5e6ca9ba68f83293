using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Platform.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Sockets;

/// <summary>
/// Serves a socket's datagrams on a thread of its own, as many with one system call as there are (recvmmsg(2), sendmmsg(2)): under load that is a fraction of the system calls, and
/// a single one meets no hand-over between threads. Allocates nothing for a datagram.
/// </summary>
internal sealed unsafe class DatagramBatches
{
    /// <summary>More at once gains nothing: what a call costs is spread over enough.</summary>
    internal const int Batch = 64;

    /// <summary>What servers take as a rule is 512 to 1 232 bytes; a longer datagram than this is dropped, not cut.</summary>
    internal const int Longest = 4096;

    /// <summary>struct sockaddr_in6, the longest.</summary>
    private const int AddressSize = 28;

    private readonly SafeSocketHandle socket;
    private readonly int room;
    private readonly AnswerDatagram answer;
    private readonly Action<Exception> unsent;
    private readonly CancellationToken cancellation;
    private readonly SocketAddress client;
    private readonly byte[] received = GC.AllocateUninitializedArray<byte>(Batch * Longest, pinned: true);
    private readonly byte[] replies;
    private readonly byte[] addresses = GC.AllocateArray<byte>(Batch * AddressSize, pinned: true);
    private readonly Libc.MessageSlot[] incoming = GC.AllocateArray<Libc.MessageSlot>(Batch, pinned: true);
    private readonly Libc.MessageSlot[] outgoing = GC.AllocateArray<Libc.MessageSlot>(Batch, pinned: true);
    private readonly Libc.IoVector[] vectors = GC.AllocateArray<Libc.IoVector>(2 * Batch, pinned: true);

    private DatagramBatches(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellation)
    {
        this.socket = socket.SafeHandle;
        this.room = room;
        this.answer = answer;
        this.unsent = unsent;
        this.cancellation = cancellation;
        client = new SocketAddress(socket.AddressFamily);
        replies = GC.AllocateUninitializedArray<byte>(Batch * room, pinned: true);
    }

    public static Task RunAsync(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellationToken)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var batches = new DatagramBatches(socket, room, answer, unsent, cancellationToken);
        new Thread(() =>
        {
            try
            {
                batches.Run();
                ended.SetResult();
            }
            catch (ObjectDisposedException) when (cancellationToken.IsCancellationRequested)
            {
                // The socket's owner was quicker than this thread.
                ended.SetResult();
            }
            catch (Exception e)
            {
                ended.SetException(e);
            }
        }) { IsBackground = true, Name = "datagrams" }.Start();
        return ended.Task;
    }

    private void Run()
    {
        using var wake = Libc.OpenEvent(0, Libc.EventCloseOnExec);
        using var waking = cancellation.Register(() =>
        {
            ulong one = 1;
            Libc.Write(wake, (byte*)&one, sizeof(ulong));
        });
        var held = false;
        try
        {
            // So that its number stays its own while it is polled.
            socket.DangerousAddRef(ref held);
            Serve((int)socket.DangerousGetHandle(), (int)wake.DangerousGetHandle());
        }
        finally
        {
            if (held)
            {
                socket.DangerousRelease();
            }
        }
    }

    private void Serve(int file, int wake)
    {
        fixed (byte* datagrams = received, answers = replies, names = addresses)
        fixed (Libc.MessageSlot* slots = incoming, sends = outgoing)
        fixed (Libc.IoVector* pieces = vectors)
        {
            for (var i = 0; i < Batch; i++)
            {
                pieces[i] = new Libc.IoVector { Base = datagrams + (i * Longest), Length = Longest };
                pieces[Batch + i] = new Libc.IoVector { Base = answers + (i * room) };
                slots[i].Header = new Libc.MessageHeader { Name = names + (i * AddressSize), Vectors = pieces + i, VectorCount = 1 };
                sends[i].Header = new Libc.MessageHeader { Vectors = pieces + Batch + i, VectorCount = 1 };
            }

            var count = 0;
            while (!cancellation.IsCancellationRequested)
            {
                if (count < Batch)
                {
                    Wait(file, wake);
                }

                count = Receive(slots);
                Send(sends, Answer(slots, sends, count));
            }
        }
    }

    private static void Wait(int file, int wake)
    {
        var entries = stackalloc Libc.PollEntry[2];
        entries[0] = new Libc.PollEntry { File = file, Events = Libc.PollIn };
        entries[1] = new Libc.PollEntry { File = wake, Events = Libc.PollIn };
        Libc.Poll(entries, 2, Timeout.Infinite);
    }

    private int Receive(Libc.MessageSlot* slots)
    {
        for (var i = 0; i < Batch; i++)
        {
            slots[i].Header.NameLength = AddressSize;
        }

        var count = Libc.ReceiveMessages(socket, slots, Batch, Libc.MessageDontWait, null);
        if (count >= 0)
        {
            return count;
        }

        var errno = Errno.Last;
        return errno is Errno.Again or Errno.Interrupted || cancellation.IsCancellationRequested ? 0 : throw Errno.Failure("datagrams can't be received", errno);
    }

    /// <returns>How many answers there are to be sent.</returns>
    private int Answer(Libc.MessageSlot* slots, Libc.MessageSlot* sends, int count)
    {
        var answers = 0;
        for (var i = 0; i < count; i++)
        {
            ref var header = ref slots[i].Header;
            if ((header.Flags & Libc.MessageTruncated) != 0 || header.NameLength > (uint)client.Buffer.Length)
            {
                continue;
            }

            client.Size = (int)header.NameLength;
            new ReadOnlySpan<byte>(header.Name, client.Size).CopyTo(client.Buffer.Span);
            ref var send = ref sends[answers].Header;
            var length = answer(new ReadOnlySpan<byte>(header.Vectors->Base, (int)slots[i].Length), client, new Span<byte>(send.Vectors->Base, room));
            if (length > 0)
            {
                send.Name = header.Name;
                send.NameLength = header.NameLength;
                send.Vectors->Length = (nuint)length;
                answers++;
            }
        }

        return answers;
    }

    private void Send(Libc.MessageSlot* sends, int count)
    {
        while (count > 0)
        {
            var sent = Libc.SendMessages(socket, sends, (uint)count, Libc.MessageNoSignal);
            if (sent < 0)
            {
                var errno = Errno.Last;
                if (errno == Errno.Interrupted)
                {
                    continue;
                }

                // This one can't be sent; those behind it may.
                unsent(Errno.Failure("an answer can't be sent", errno));
                sent = 1;
            }

            sends += sent;
            count -= sent;
        }
    }
}
