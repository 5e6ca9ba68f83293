using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Fairlead.Kubernetes.Spdy;

/// <summary>
/// A TCP connection to one port of a pod, alone on a connection of SPDY/3.1 as <c>kubectl port-forward</c> has it: one stream for its bytes and one for what
/// went wrong (https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/httpstream.go). Servers of it have no
/// flow control but the connection's. One read and one write at a time; reading answers what the protocol asks. Owns the connection.
/// </summary>
internal sealed class SpdyPortStream : PodStream
{
    public const string Upgrade = "SPDY/3.1";

    /// <summary>What the streams mean; the header's name is <see cref="ProtocolHeader"/>.</summary>
    public const string Protocol = "portforward.k8s.io";

    public const string ProtocolHeader = "X-Stream-Protocol-Version";

    private const uint ErrorStream = 1, DataStream = 3;

    /// <summary>Bytes in one frame that we send: servers read a frame into memory, and with its header it fills four TLS records (RFC 8446 §5.1), no stub after them.</summary>
    private const int MaxFrame = (64 * 1024) - SpdyFrameHeader.Size;

    /// <summary>No control frame of a server's is larger: a few headers, a few settings.</summary>
    private const int MaxControl = 64 * 1024;

    /// <summary>What the node says beyond a few lines helps nobody.</summary>
    private const int MaxError = 4096;

    private readonly Stream _connection;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly byte[] _outgoing = new byte[SpdyFrameHeader.Size + MaxFrame];
    private readonly byte[] _incoming = new byte[16 * 1024];
    private readonly ArrayBufferWriter<byte> _error = new();
    private int _begin, _end;
    private int _left;
    private bool _dataEnded;
    private bool _errorEnded;

    private SpdyPortStream(Stream connection) => _connection = connection;

    /// <param name="connection">Upgraded; owned from here on, also in failure.</param>
    /// <exception cref="IOException">It broke.</exception>
    public static async Task<SpdyPortStream> OpenAsync(Stream connection, int port, CancellationToken cancellationToken)
    {
        try
        {
            using var opener = new SpdyOpener();
            var number = port.ToString(CultureInfo.InvariantCulture);
            byte[] opens =
            [
                .. opener.Open(ErrorStream, fin: true, ("streamtype", "error"), ("port", number), ("requestid", "0")),
                .. opener.Open(DataStream, fin: false, ("streamtype", "data"), ("port", number), ("requestid", "0")),
            ];
            await connection.WriteAsync(opens, cancellationToken);
            await connection.FlushAsync(cancellationToken);
            return new SpdyPortStream(connection);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="IOException">The port can't be reached (with the node's words), the connection broke, or what came makes no sense.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_left == 0)
        {
            if (_errorEnded && _error.WrittenCount > 0)
            {
                throw new IOException(Encoding.UTF8.GetString(_error.WrittenSpan).Trim());
            }

            // What went wrong may be told after the end of the data.
            if (_dataEnded && _errorEnded)
            {
                return 0;
            }

            await NextFrameAsync(cancellationToken);
        }

        var count = await TakeAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken);
        _left -= count;
        return count;
    }

    /// <exception cref="IOException">The connection broke.</exception>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            for (; !buffer.IsEmpty; buffer = buffer[Math.Min(buffer.Length, MaxFrame)..])
            {
                var count = Math.Min(buffer.Length, MaxFrame);
                new SpdyFrameHeader(IsControl: false, DataStream, Flags: 0, count).Write(_outgoing);
                buffer[..count].CopyTo(_outgoing.AsMemory(SpdyFrameHeader.Size));
                await _connection.WriteAsync(_outgoing.AsMemory(0, SpdyFrameHeader.Size + count), cancellationToken);
            }

            await _connection.FlushAsync(cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // To the server its end is the end of every stream on it.
            _connection.Dispose();
        }

        base.Dispose(disposing);
    }

    private static IOException Malformed(string what) => new($"port-forward: {what}");

    private async ValueTask NextFrameAsync(CancellationToken cancellationToken)
    {
        await FillAsync(SpdyFrameHeader.Size, cancellationToken);
        var header = SpdyFrameHeader.Parse(_incoming.AsSpan(_begin));
        _begin += SpdyFrameHeader.Size;
        switch (header)
        {
            case { IsControl: true, Length: > MaxControl }:
                throw Malformed($"a control frame of {header.Length} bytes");
            case { IsControl: true }:
                await ControlAsync(header, cancellationToken);
                break;
            case { Id: DataStream }:
                _left = header.Length;
                _dataEnded |= header.IsFin;
                break;
            case { Id: ErrorStream }:
                await KeepErrorAsync(header.Length, cancellationToken);
                _errorEnded |= header.IsFin;
                break;
            default:
                throw Malformed($"bytes on stream {header.Id}, which was not opened");
        }
    }

    private async ValueTask ControlAsync(SpdyFrameHeader header, CancellationToken cancellationToken)
    {
        switch (header.Control)
        {
            case SpdyControl.Ping when header.Length == 4:
                await FillAsync(header.Length, cancellationToken);
                var id = BinaryPrimitives.ReadUInt32BigEndian(_incoming.AsSpan(_begin));
                _begin += header.Length;
                if (id % 2 == 0)
                {
                    await AnswerPingAsync(header, id, cancellationToken);
                }

                break;
            case SpdyControl.RstStream when header.Length == 8:
                await FillAsync(header.Length, cancellationToken);
                var status = BinaryPrimitives.ReadUInt32BigEndian(_incoming.AsSpan(_begin + 4));
                throw Malformed($"the node ended it (status {status} of SPDY)");
            case SpdyControl.GoAway:
                throw Malformed("the node goes away");
            case SpdyControl.SynReply or SpdyControl.Settings or SpdyControl.Headers or SpdyControl.WindowUpdate:
                await SkipAsync(header.Length, cancellationToken);
                break;
            default:
                throw Malformed($"a control frame {header.Id:x} that makes no sense");
        }
    }

    private async ValueTask AnswerPingAsync(SpdyFrameHeader header, uint id, CancellationToken cancellationToken)
    {
        var answer = new byte[SpdyFrameHeader.Size + 4];
        header.Write(answer);
        BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(SpdyFrameHeader.Size), id);
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await _connection.WriteAsync(answer, cancellationToken);
            await _connection.FlushAsync(cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async ValueTask KeepErrorAsync(int length, CancellationToken cancellationToken)
    {
        var kept = Math.Min(length, MaxError - _error.WrittenCount);
        for (var left = kept; left > 0;)
        {
            var count = await TakeAsync(_error.GetMemory(left)[..left], cancellationToken);
            _error.Advance(count);
            left -= count;
        }

        await SkipAsync(length - kept, cancellationToken);
    }

    private async ValueTask SkipAsync(int length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            await FillAsync(1, cancellationToken);
            var count = Math.Min(length, _end - _begin);
            _begin += count;
            length -= count;
        }
    }

    /// <summary>Some bytes: those that were read ahead, else from the connection, past our buffer when they are many.</summary>
    private async ValueTask<int> TakeAsync(Memory<byte> into, CancellationToken cancellationToken)
    {
        if (into.IsEmpty)
        {
            return 0;
        }

        if (_begin == _end && into.Length >= _incoming.Length)
        {
            return await ReadSomeAsync(into, cancellationToken);
        }

        await FillAsync(1, cancellationToken);
        var count = Math.Min(into.Length, _end - _begin);
        _incoming.AsMemory(_begin, count).CopyTo(into);
        _begin += count;
        return count;
    }

    /// <summary>At least as many bytes (no more than a frame's header) are there, from <see cref="_begin"/> on.</summary>
    private async ValueTask FillAsync(int least, CancellationToken cancellationToken)
    {
        if (_begin > 0 && _end - _begin < least)
        {
            _incoming.AsSpan(_begin, _end - _begin).CopyTo(_incoming);
            (_begin, _end) = (0, _end - _begin);
        }

        while (_end - _begin < least)
        {
            _end += await ReadSomeAsync(_incoming.AsMemory(_end), cancellationToken);
        }
    }

    private async ValueTask<int> ReadSomeAsync(Memory<byte> into, CancellationToken cancellationToken) =>
        await _connection.ReadAsync(into, cancellationToken) is > 0 and var count ? count : throw new IOException("the connection to the pod broke off");
}
