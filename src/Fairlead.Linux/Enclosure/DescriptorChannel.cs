using System.Net.Sockets;
using Fairlead.Linux.Native;

namespace Fairlead.Linux.Enclosure;

/// <summary>Two connected unix sockets for two processes, over which open files travel (SCM_RIGHTS, unix(7)).</summary>
public static class DescriptorChannel
{
    /// <summary>In one message; the kernel's own limit is 253 (SCM_MAX_FD).</summary>
    public const int MaxDescriptors = 64;

    private const int FamilyUnix = 1;
    private const int Stream = 1;
    private const int CloseOnExec = 0x80000;
    private const int Rights = 1;                               // SCM_RIGHTS
    private const int ReceiveCloseOnExec = 0x40000000;          // MSG_CMSG_CLOEXEC
    private const int ControlTruncated = 8;                     // MSG_CTRUNC

    /// <exception cref="LinuxException"/>
    public static unsafe (Socket One, Socket Other) CreatePair()
    {
        var pair = stackalloc int[2];
        return Libc.SocketPair(FamilyUnix, Stream | CloseOnExec, 0, pair) == 0
            ? (new Socket(new SafeSocketHandle(pair[0], ownsHandle: true)), new Socket(new SafeSocketHandle(pair[1], ownsHandle: true)))
            : throw Errno.Failure("a pair of sockets can't be made");
    }

    /// <summary>Programs that are started from now on get the socket, under the number that this returns.</summary>
    /// <exception cref="LinuxException"/>
    public static int LetInherit(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var descriptor = (int)socket.Handle;
        return Libc.DescriptorControl(descriptor, Libc.SetDescriptorFlags, 0) == 0 ? descriptor : throw Errno.Failure("a socket can't be handed on");
    }

    /// <summary>The socket that this process was started with; nobody else gets it from here on.</summary>
    /// <exception cref="LinuxException">There is no such descriptor.</exception>
    public static Socket Inherited(int descriptor) => Libc.DescriptorControl(descriptor, Libc.SetDescriptorFlags, 1) == 0
        ? new Socket(new SafeSocketHandle(descriptor, ownsHandle: true))
        : throw Errno.Failure($"descriptor {descriptor} was not handed over");

    /// <summary>Sends bytes and, with the first of them, open files. The other process gets descriptors of its own; the caller's stay open.</summary>
    /// <param name="descriptors">1 to <see cref="MaxDescriptors"/>.</param>
    /// <exception cref="LinuxException">The other process is gone.</exception>
    public static unsafe void Send(Socket socket, ReadOnlySpan<byte> data, IReadOnlyList<int> descriptors)
    {
        ArgumentNullException.ThrowIfNull(socket);
        ArgumentNullException.ThrowIfNull(descriptors);
        ArgumentOutOfRangeException.ThrowIfZero(data.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(descriptors.Count is > 0 and <= MaxDescriptors, true);
        var control = stackalloc byte[sizeof(Libc.ControlHeader) + (MaxDescriptors * sizeof(int))];
        var length = sizeof(Libc.ControlHeader) + (descriptors.Count * sizeof(int));
        *(Libc.ControlHeader*)control = new Libc.ControlHeader { Length = (nuint)length, Level = Libc.SolSocket, Type = Rights };
        var numbers = (int*)(control + sizeof(Libc.ControlHeader));
        for (var i = 0; i < descriptors.Count; i++)
        {
            numbers[i] = descriptors[i];
        }

        fixed (byte* bytes = data)
        {
            var vector = new Libc.IoVector { Base = bytes, Length = (nuint)data.Length };
            var message = new Libc.MessageHeader
            {
                Vectors = &vector,
                VectorCount = 1,
                Control = control,
                ControlLength = (nuint)((length + sizeof(nuint) - 1) & ~(sizeof(nuint) - 1)),
            };
            var sent = Libc.SendMessage(socket.SafeHandle, &message, Libc.MessageNoSignal);
            if (sent != data.Length)
            {
                throw Errno.Failure("open files can't be handed over");
            }
        }
    }

    /// <summary>What <see cref="Send"/> sent. The socket must be readable already, or this blocks.</summary>
    /// <returns>Bytes in <paramref name="buffer"/>, 0 at the end of the stream; the caller owns the descriptors (close-on-exec).</returns>
    /// <exception cref="LinuxException">The other process is gone, or sent more than is taken.</exception>
    public static unsafe (int Length, IReadOnlyList<int> Descriptors) Receive(Socket socket, Span<byte> buffer)
    {
        ArgumentNullException.ThrowIfNull(socket);
        const int ControlSize = 16 + (MaxDescriptors * sizeof(int));
        var control = stackalloc byte[ControlSize];
        fixed (byte* bytes = buffer)
        {
            var vector = new Libc.IoVector { Base = bytes, Length = (nuint)buffer.Length };
            var message = new Libc.MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = ControlSize };
            var received = Libc.ReceiveMessage(socket.SafeHandle, &message, ReceiveCloseOnExec);
            if (received < 0)
            {
                throw Errno.Failure("open files can't be taken over");
            }

            var descriptors = new List<int>();
            var header = (Libc.ControlHeader*)control;
            if (message.ControlLength >= (nuint)sizeof(Libc.ControlHeader) && header->Level == Libc.SolSocket && header->Type == Rights)
            {
                var numbers = (int*)(control + sizeof(Libc.ControlHeader));
                var count = ((int)header->Length - sizeof(Libc.ControlHeader)) / sizeof(int);
                for (var i = 0; i < count; i++)
                {
                    descriptors.Add(numbers[i]);
                }
            }

            return (message.Flags & ControlTruncated) == 0 ? ((int)received, descriptors) : throw new LinuxException("more open files were handed over than are taken", Errno.MessageSize);
        }
    }
}
