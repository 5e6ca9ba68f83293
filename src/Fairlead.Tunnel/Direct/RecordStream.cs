using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Direct;

/// <summary>
/// What is beneath an <see cref="System.Net.Security.SslStream"/>, made for bulk: <c>SslStream</c> reads and writes one TLS record of
/// 16 KiB at a time, this reads many with one system call and hands them up one by one, and gathers many for one write. While nothing is
/// buffered and nothing arrives it holds no buffer. Owns the socket or the stream. One read and one write at a time.
/// </summary>
internal sealed class RecordStream : DuplexStream
{
    /// <summary>RFC 8446 §5.1: type, version, length.</summary>
    private const int RecordHeader = 5;

    private const int SmallestBuffer = 16 * 1024;
    private const int LargestBuffer = 256 * 1024;

    // One of them.
    private readonly Socket? _socket;
    private readonly Stream? _stream;

    private byte[]? _in;
    private int _inStart;
    private int _inEnd;
    private int _recordLeft;
    private int _inSize = SmallestBuffer;

    // A wait said that there is something (or the end), and nothing was received since.
    private bool _readable;

    private byte[]? _out;
    private int _outCount;
    private bool _gathering;

    private HandshakeTurns? _turns;
    private bool _inTurn;

    public RecordStream(Socket socket) => _socket = socket;

    /// <param name="stream">A connection that somebody else made; a read of no bytes may return at once.</param>
    public RecordStream(Stream stream) => _stream = stream;

    /// <summary>Whether a whole TLS record is buffered, so that the next read above completes at once.</summary>
    public bool HasRecord => _recordLeft == 0 && _inEnd - _inStart >= RecordHeader && _inEnd - _inStart >= RecordLength();

    /// <summary>Never past the end of a record: SslStream then holds at most one, and <see cref="HasRecord"/> looks at a record's first byte.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            if (_inStart == _inEnd && !_readable)
            {
                await WaitAsync(cancellationToken);
                _readable = true;
            }

            return 0;
        }

        if (_recordLeft == 0)
        {
            if (_inEnd - _inStart < RecordHeader && !await FillAsync(RecordHeader, cancellationToken))
            {
                return 0;
            }

            _recordLeft = RecordLength();
        }
        else if (_inStart == _inEnd && !await FillAsync(1, cancellationToken))
        {
            return 0;
        }

        var count = Math.Min(buffer.Length, Math.Min(_inEnd - _inStart, _recordLeft));
        _in.AsMemory(_inStart, count).CopyTo(buffer);
        _inStart += count;
        _recordLeft -= count;
        return count;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_gathering)
        {
            _out ??= ArrayPool<byte>.Shared.Rent(LargestBuffer);
            if (buffer.Length > _out.Length - _outCount)
            {
                await SendGatheredAsync(cancellationToken);
            }

            if (buffer.Length <= _out.Length)
            {
                buffer.CopyTo(_out.AsMemory(_outCount));
                _outCount += buffer.Length;
                return;
            }
        }

        await SendAsync(buffer, cancellationToken);
    }

    /// <summary>Writes are gathered from now until <see cref="EndGatherAsync"/>.</summary>
    public void BeginGather() => _gathering = true;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask EndGatherAsync(CancellationToken cancellationToken)
    {
        _gathering = false;
        if (_out is null)
        {
            return;
        }

        await SendGatheredAsync(cancellationToken);
        ArrayPool<byte>.Shared.Return(_out);
        _out = null;
    }

    /// <summary>From now until <see cref="EndTurns"/> what was received is worked on in turn: who reads next waits for the peer outside of it.</summary>
    public void BeginTurns(HandshakeTurns turns) => _turns = turns;

    /// <summary>No read may be under way.</summary>
    public void EndTurns()
    {
        LeaveTurn();
        _turns = null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // Buffers are left to the collector: an operation that is being torn down may still use them.
            _socket?.Dispose();
            _stream?.Dispose();
        }

        base.Dispose(disposing);
    }

    private ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var receiving = _socket is not null ? _socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken) : _stream!.ReadAsync(buffer, cancellationToken);
        return _turns is null || (_inTurn && receiving.IsCompleted) ? receiving : ReceiveInTurnAsync(_turns, receiving, cancellationToken);
    }

    private async ValueTask<int> ReceiveInTurnAsync(HandshakeTurns turns, ValueTask<int> receiving, CancellationToken cancellationToken)
    {
        if (!receiving.IsCompleted)
        {
            LeaveTurn();
        }

        var count = await receiving;
        if (!_inTurn)
        {
            await turns.EnterAsync(cancellationToken);
            _inTurn = true;
        }

        return count;
    }

    private void LeaveTurn()
    {
        if (_inTurn)
        {
            _inTurn = false;
            _turns!.Leave();
        }
    }

    private int RecordLength() => RecordHeader + BinaryPrimitives.ReadUInt16BigEndian(_in.AsSpan(_inStart + 3));

    /// <summary>Until there is something to receive; holds no buffer if that takes time.</summary>
    private ValueTask<int> WaitAsync(CancellationToken cancellationToken)
    {
        var readable = ReceiveAsync(Memory<byte>.Empty, cancellationToken);
        if (!readable.IsCompleted && _in is not null && _inStart == _inEnd)
        {
            ArrayPool<byte>.Shared.Return(_in);
            _in = null;
            _inStart = _inEnd = 0;
        }

        return readable;
    }

    /// <returns>False when the connection ended between two records, or inside one (SslStream tells that from a proper end).</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FillAsync(int atLeast, CancellationToken cancellationToken)
    {
        if (!_readable)
        {
            await WaitAsync(cancellationToken);
        }

        _readable = false;
        var kept = _inEnd - _inStart;
        if (_in is null || _in.Length < _inSize)
        {
            var larger = ArrayPool<byte>.Shared.Rent(_inSize);
            if (_in is not null)
            {
                _in.AsSpan(_inStart, kept).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_in);
            }

            _in = larger;
        }
        else if (kept > 0)
        {
            _in.AsSpan(_inStart, kept).CopyTo(_in);
        }

        _inStart = 0;
        _inEnd = kept;
        while (_inEnd < atLeast)
        {
            var count = await ReceiveAsync(_in.AsMemory(_inEnd), cancellationToken);
            if (count == 0)
            {
                return false;
            }

            _inEnd += count;
        }

        if (_inEnd == _in.Length)
        {
            _inSize = Math.Min(_in.Length * 2, LargestBuffer);
        }
        else if (_inEnd < _in.Length / 8)
        {
            _inSize = Math.Max(_inSize / 2, SmallestBuffer);
        }

        return true;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask SendGatheredAsync(CancellationToken cancellationToken)
    {
        await SendAsync(_out.AsMemory(0, _outCount), cancellationToken);
        _outCount = 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask SendAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_socket is null)
        {
            await _stream!.WriteAsync(buffer, cancellationToken);
            return;
        }

        while (!buffer.IsEmpty)
        {
            var sent = await _socket.SendAsync(buffer, SocketFlags.None, cancellationToken);
            buffer = buffer[sent..];
        }
    }
}
