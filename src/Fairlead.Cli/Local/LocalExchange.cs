using System.Net.Sockets;
using System.Text;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Local;

/// <summary>
/// One request to the daemon and its answer, on a connection of its own. HTTP/1.0, so that the answer is plain: without chunks (RFC 9112 §6.1) and
/// ended by its length or by the end of the connection (§6.3). Why not <c>HttpClient</c>: docs/adr/0002.
/// </summary>
internal sealed class LocalExchange : IDisposable
{
    /// <summary>Far more than Kestrel's head of an answer, which is a few hundred bytes.</summary>
    private const int MaxHead = 16 << 10;

    /// <summary>Of a whole answer, or of one line of a watch; 5 000 services take 3 MiB.</summary>
    private const int MaxAnswer = 64 << 20;

    private static readonly byte[] EndOfHead = "\r\n\r\n"u8.ToArray();

    private readonly Socket _socket;
    private byte[] _buffer = new byte[MaxHead];
    private int _start;
    private int _end;

    /// <summary>Bytes of the body that were not received yet; null when only the end of the connection tells.</summary>
    private long? _due;

    private LocalExchange(Socket socket) => _socket = socket;

    /// <summary>The status code, once <see cref="SendAsync"/> is done.</summary>
    public int Status { get; private set; }

    /// <summary>What the answer's head says in <see cref="LocalApi.VersionHeader"/>.</summary>
    public string? DaemonVersion { get; private set; }

    /// <summary>Whether the answer's head has <see cref="CompanionApi.WantedHeader"/>.</summary>
    public bool CompanionIsWanted { get; private set; }

    /// <exception cref="SocketException">Nobody listens there, or this user may not connect.</exception>
    public static LocalExchange Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // A unix socket connects or fails at once (connect(2)); the synchronous call needs less of the runtime.
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return new LocalExchange(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Sends the request and reads the head of the answer.</summary>
    /// <param name="body">JSON; null sends none.</param>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="InvalidDataException">What came is no HTTP answer, or ended within its head.</exception>
    public async Task SendAsync(string method, string path, byte[]? body, CancellationToken cancellationToken)
    {
        var entity = body is null && method == "GET" ? "" : $"Content-Type: application/json\r\nContent-Length: {body?.Length ?? 0}\r\n";
        byte[] request = [.. Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.0\r\nHost: daemon\r\n{entity}\r\n"), .. body ?? []];
        for (var sent = 0; sent < request.Length;)
        {
            sent += await _socket.SendAsync(request.AsMemory(sent), cancellationToken);
        }

        int length;
        while ((length = _buffer.AsSpan(0, _end).IndexOf(EndOfHead)) < 0)
        {
            if (_end == _buffer.Length || !await FillAsync(cancellationToken))
            {
                throw new InvalidDataException(_end == 0 ? "the connection ended without an answer" : "it is not HTTP");
            }
        }

        _start = length + EndOfHead.Length;
        ReadHead(Encoding.ASCII.GetString(_buffer, 0, length).Split("\r\n"));
    }

    /// <summary>The rest of the body.</summary>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="InvalidDataException">It ended before the announced length.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadToEndAsync(CancellationToken cancellationToken)
    {
        while (await FillAsync(cancellationToken))
        {
        }

        return Take(_end - _start);
    }

    /// <summary>The next line of the body without its end, good until the next call; null at the end.</summary>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="InvalidDataException">It ended before the announced length, or a line is too long.</exception>
    public async Task<ReadOnlyMemory<byte>?> ReadLineAsync(CancellationToken cancellationToken)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n')) < 0)
        {
            if (!await FillAsync(cancellationToken))
            {
                // Said with its type: a bare null would become an empty line, by way of an array.
                return _start == _end ? default(ReadOnlyMemory<byte>?) : Take(_end - _start);
            }
        }

        var line = Take(length);
        _start++;
        return line;
    }

    private ReadOnlyMemory<byte> Take(int length)
    {
        var taken = _buffer.AsMemory(_start, length);
        _start += length;
        return taken;
    }

    /// <summary>Receives more behind what is there, making room where it is full. False at the end of the body.</summary>
    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_due == 0)
        {
            return false;
        }

        if (_end == _buffer.Length)
        {
            MakeRoom();
        }

        var received = await _socket.ReceiveAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += received;
        _due -= received;
        CutOff();
        return received > 0 || (_due > 0 ? throw new InvalidDataException("it ended before its announced length") : false);
    }

    private void MakeRoom()
    {
        if (_start == 0)
        {
            Array.Resize(ref _buffer, _buffer.Length < MaxAnswer ? _buffer.Length * 2 : throw new InvalidDataException($"it is larger than {MaxAnswer >> 20} MiB"));
            return;
        }

        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
    }

    private void ReadHead(string[] lines)
    {
        if (lines[0].Split(' ') is not [['H', 'T', 'T', 'P', '/', '1', '.', _], var status, ..] || !int.TryParse(status, out var code))
        {
            throw new InvalidDataException("it is not HTTP");
        }

        Status = code;
        foreach (var line in lines)
        {
            if (line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase) && long.TryParse(line.AsSpan("Content-Length:".Length).Trim(), out var announced))
            {
                _due = announced - (_end - _start);
                CutOff();
            }

            if (line.StartsWith(LocalApi.VersionHeader + ":", StringComparison.OrdinalIgnoreCase))
            {
                DaemonVersion = line[(LocalApi.VersionHeader.Length + 1)..].Trim();
            }

            CompanionIsWanted |= line.StartsWith(CompanionApi.WantedHeader + ":", StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>Nothing behind the announced length belongs to the answer.</summary>
    private void CutOff()
    {
        if (_due < 0)
        {
            _end += (int)_due.Value;
            _due = 0;
        }
    }
}
