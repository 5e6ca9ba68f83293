using System.Net.Sockets;
using System.Text;

namespace Shop.Orders;

/// <summary>As much of RESP2 (redis.io/docs/latest/develop/reference/protocol-spec) as the sample needs: commands, answers of one line, of one text and lists of those.</summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    /// <summary>No answer of the shop comes near, in bytes or in elements.</summary>
    private const int MaxLength = 1 << 20;

    private readonly NetworkStream _stream;

    private RedisConnection(NetworkStream stream) => _stream = stream;

    public static async Task<RedisConnection> OpenAsync(string host, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(host, port, cancellationToken);
            return new RedisConnection(new NetworkStream(socket, ownsSocket: true));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The answer's texts; a single one is a list of one.</summary>
    public async Task<IReadOnlyList<string>> AskAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var text = new StringBuilder().Append('*').Append(command.Count).Append("\r\n");
        foreach (var word in command)
        {
            text.Append('$').Append(Encoding.UTF8.GetByteCount(word)).Append("\r\n").Append(word).Append("\r\n");
        }

        await _stream.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), cancellationToken);
        var line = await ReadLineAsync(cancellationToken);
        if (line[0] != '*')
        {
            return [await ReadTextAsync(line, cancellationToken)];
        }

        var answer = new string[Length(line)];
        for (var i = 0; i < answer.Length; i++)
        {
            answer[i] = await ReadTextAsync(await ReadLineAsync(cancellationToken), cancellationToken);
        }

        return answer;
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task<string> ReadTextAsync(string line, CancellationToken cancellationToken)
    {
        switch (line[0])
        {
            case '+' or ':':
                return line[1..];
            case '$' when line == "$-1":
                return "";
            case '$':
                var buffer = new byte[Length(line) + 2];
                await _stream.ReadExactlyAsync(buffer, cancellationToken);
                return Encoding.UTF8.GetString(buffer, 0, buffer.Length - 2);
            case '-':
                throw new InvalidDataException($"Redis: {line[1..]}");
            default:
                throw new InvalidDataException($"Redis answered with '{line[0]}', which RESP2 doesn't know");
        }
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new List<byte>();
        var one = new byte[1];
        while (true)
        {
            await _stream.ReadExactlyAsync(one, cancellationToken);
            if (one[0] == '\n' && line.Count > 1 && line[^1] == '\r')
            {
                return Encoding.UTF8.GetString([.. line], 0, line.Count - 1);
            }

            line.Add(one[0]);
            if (line.Count > MaxLength)
            {
                throw new InvalidDataException("Redis sent a line without end");
            }
        }
    }

    private static int Length(string line) =>
        int.TryParse(line.AsSpan(1), out var length) && length is >= 0 and <= MaxLength ? length : throw new InvalidDataException($"Redis announced {line}");
}
