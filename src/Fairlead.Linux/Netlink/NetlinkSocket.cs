using Fairlead.Linux.Native;
using Fairlead.Platform;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Netlink;

/// <summary>A rtnetlink(7) socket in the network namespace of the thread that opens it. Not thread-safe: one call at a time. Calls block, shortly.</summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    private const ushort Request = 1;
    private const ushort Acknowledge = 4;
    private const ushort Dump = 0x300;

    /// <summary>The kernel answers at once; one that doesn't must not hang the daemon.</summary>
    private const int AnswerSeconds = 10;

    /// <summary>The kernel lists up to 32 KiB at a time.</summary>
    private const int BufferSize = 128 << 10;

    /// <summary>How often a list is begun anew because it changed meanwhile.</summary>
    private const int Attempts = 10;

    private readonly byte[] buffer = new byte[BufferSize];
    private uint sequence;

    private NetlinkSocket(SafeFileHandle handle, uint port) => (Handle, Port) = (handle, port);

    public SafeFileHandle Handle { get; }

    /// <summary>By which the kernel names this socket in what it tells others.</summary>
    public uint Port { get; }

    /// <summary>Sees a message; must not keep it.</summary>
    public delegate void Visitor(NetlinkMessage message);

    /// <param name="groups">Numbers of the multicast groups to listen to (linux/rtnetlink.h, RTNLGRP_*).</param>
    /// <exception cref="HostException">The kernel refused.</exception>
    public static NetlinkSocket Open(params ReadOnlySpan<int> groups)
    {
        var handle = Libc.OpenSocket(Libc.NetlinkFamily, Libc.RawCloseOnExec, Libc.NetlinkRoute);
        try
        {
            var address = new Libc.NetlinkAddress { Family = Libc.NetlinkFamily };
            var length = (uint)sizeof(Libc.NetlinkAddress);
            if (handle.IsInvalid || Libc.Bind(handle, address, length) != 0 || Libc.NameOf(handle, ref address, ref length) != 0)
            {
                throw Errno.Failure("can't ask for routes");
            }

            foreach (var group in groups)
            {
                var number = group;
                if (Libc.SetOption(handle, Libc.SolNetlink, Libc.NetlinkAddMembership, &number, sizeof(int)) != 0)
                {
                    throw Errno.Failure("can't listen to changes of routes");
                }
            }

            // Lists can then be of one table. A kernel before 4.20 can't, and lists all.
            var yes = 1;
            _ = Libc.SetOption(handle, Libc.SolNetlink, Libc.NetlinkStrictCheck, &yes, sizeof(int));
            var patience = new Libc.ClockTime { Seconds = AnswerSeconds };
            return Libc.SetOption(handle, Libc.SolSocket, Libc.SoReceiveTimeout, &patience, (uint)sizeof(Libc.ClockTime)) == 0
                ? new NetlinkSocket(handle, address.Port)
                : throw Errno.Failure("can't ask for routes");
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Makes one change and waits for the kernel's answer.</summary>
    /// <returns>errno(3); 0 when it was made.</returns>
    /// <exception cref="HostException">The kernel can't be asked.</exception>
    public int Change(ushort type, ushort flags, Func<ushort, ushort, NetlinkWriter> message)
    {
        Send(message(type, (ushort)(Request | Acknowledge | flags)));
        var answer = -1;
        while (answer < 0)
        {
            Receive(next =>
            {
                if (next.Type == NetlinkMessage.ErrorType)
                {
                    answer = next.Error;
                }
            });
        }

        return answer;
    }

    /// <summary>Lists everything of a kind, from the beginning again when it changed meanwhile.</summary>
    /// <param name="header">The fixed part of the request, and attributes that narrow it.</param>
    /// <param name="begin">Called before each attempt: what was seen before does not count.</param>
    /// <returns>errno(3); 0 when all was listed.</returns>
    /// <exception cref="HostException">The kernel can't be asked, or it never held still.</exception>
    public int List(ushort type, Func<ushort, ushort, NetlinkWriter> header, Action begin, Visitor visit)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            begin();
            Send(header(type, Request | Dump));
            var (answer, changed) = (-1, false);
            while (answer < 0)
            {
                Receive(message =>
                {
                    changed |= (message.Flags & NetlinkMessage.Interrupted) != 0;
                    if (message.Type is NetlinkMessage.DoneType or NetlinkMessage.ErrorType)
                    {
                        answer = message.Error;
                    }
                    else
                    {
                        visit(message);
                    }
                });
            }

            if (!changed)
            {
                return answer;
            }
        }

        throw new HostException("The routes of this host kept changing while they were read.");
    }

    /// <summary>One datagram of the kernel's, whatever it is: for sockets that listen.</summary>
    /// <returns>False when some were lost, because they came faster than they were read.</returns>
    /// <exception cref="HostException">It can't be read, or is malformed.</exception>
    public bool Listen(Visitor visit)
    {
        if (ReceiveDatagram(out var datagram) is var errno && errno != 0)
        {
            return errno == Errno.NoBuffers ? false : throw Errno.Failure("can't read changes of routes", errno);
        }

        for (var reader = new NetlinkReader(datagram); reader.Next(out var message);)
        {
            visit(message);
        }

        return true;
    }

    public void Dispose() => Handle.Dispose();

    private void Send(NetlinkWriter writer)
    {
        var message = writer.ToArray(++sequence);
        var kernel = new Libc.NetlinkAddress { Family = Libc.NetlinkFamily };
        if (Libc.SendTo(Handle, message, (nuint)message.Length, 0, kernel, (uint)sizeof(Libc.NetlinkAddress)) != message.Length)
        {
            throw Errno.Failure("can't ask for routes");
        }
    }

    /// <summary>Messages of the current request; answers to an earlier one that was given up are passed over.</summary>
    private void Receive(Visitor visit)
    {
        if (ReceiveDatagram(out var datagram) is var errno && errno != 0)
        {
            throw Errno.Failure("can't read routes", errno);
        }

        for (var reader = new NetlinkReader(datagram); reader.Next(out var message);)
        {
            if (message.Sequence == sequence)
            {
                visit(message);
            }
        }
    }

    /// <summary>Another process may send to this socket as well: only the kernel counts (netlink(7), nl_pid 0).</summary>
    private int ReceiveDatagram(out ReadOnlySpan<byte> datagram)
    {
        datagram = default;
        while (true)
        {
            var from = default(Libc.NetlinkAddress);
            var length = (uint)sizeof(Libc.NetlinkAddress);
            var received = Libc.ReceiveFrom(Handle, buffer, BufferSize, Libc.MessageTruncateLength, ref from, ref length);
            if (received < 0 && Errno.Last == Errno.Interrupted)
            {
                continue;
            }

            if (received < 0)
            {
                return Errno.Last;
            }

            if (from.Port != 0)
            {
                continue;
            }

            if (received > BufferSize)
            {
                throw new HostException("A netlink message is longer than any of the kernel's.");
            }

            datagram = buffer.AsSpan(0, (int)received);
            return 0;
        }
    }
}
