using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Shop.Catalog;

internal sealed record PostgresAddress(string Host, int Port, string User, string Password, string Database);

/// <summary>
/// As much of PostgreSQL's protocol 3.0 as a query without parameters needs (postgresql.org/docs/15/protocol.html), so that the sample needs no driver.
/// </summary>
internal sealed class PostgresConnection : IAsyncDisposable
{
    private const int ProtocolVersion = 3 << 16;

    /// <summary>No row of the shop comes near.</summary>
    private const int MaxMessage = 1 << 20;

    private const int AuthenticationOk = 0;
    private const int AuthenticationSasl = 10;
    private const int AuthenticationSaslContinue = 11;
    private const int AuthenticationSaslFinal = 12;

    private readonly NetworkStream _stream;

    private PostgresConnection(NetworkStream stream) => _stream = stream;

    public static async Task<PostgresConnection> OpenAsync(PostgresAddress address, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address.Host, address.Port, cancellationToken);
            var connection = new PostgresConnection(new NetworkStream(socket, ownsSocket: true));
            await connection.StartAsync(address, cancellationToken);
            return connection;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Rows of columns in text form; a null column is null.</summary>
    public async Task<IReadOnlyList<string?[]>> QueryAsync(string sql, CancellationToken cancellationToken)
    {
        await SendAsync('Q', Terminated(sql), cancellationToken);
        var rows = new List<string?[]>();
        while (true)
        {
            var (type, body) = await ReceiveAsync(cancellationToken);
            switch (type)
            {
                case 'D':
                    rows.Add(ReadRow(body));
                    break;
                case 'Z':
                    return rows;
            }
        }
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task StartAsync(PostgresAddress address, CancellationToken cancellationToken)
    {
        byte[] parameters = [.. Terminated("user"), .. Terminated(address.User), .. Terminated("database"), .. Terminated(address.Database), 0];
        var start = new byte[8 + parameters.Length];
        BinaryPrimitives.WriteInt32BigEndian(start, start.Length);
        BinaryPrimitives.WriteInt32BigEndian(start.AsSpan(4), ProtocolVersion);
        parameters.CopyTo(start, 8);
        await _stream.WriteAsync(start, cancellationToken);

        var scram = new ScramClient(address.Password);
        while (true)
        {
            var (type, body) = await ReceiveAsync(cancellationToken);
            if (type == 'Z')
            {
                return;
            }

            if (type != 'R')
            {
                continue;
            }

            switch (BinaryPrimitives.ReadInt32BigEndian(body))
            {
                case AuthenticationOk:
                    break;
                case AuthenticationSasl:
                    var first = Encoding.UTF8.GetBytes(scram.First());
                    var length = new byte[4];
                    BinaryPrimitives.WriteInt32BigEndian(length, first.Length);
                    await SendAsync('p', [.. Terminated(ScramClient.Mechanism), .. length, .. first], cancellationToken);
                    break;
                case AuthenticationSaslContinue:
                    await SendAsync('p', Encoding.UTF8.GetBytes(scram.Final(Encoding.UTF8.GetString(body.AsSpan(4)))), cancellationToken);
                    break;
                case AuthenticationSaslFinal:
                    scram.Verify(Encoding.UTF8.GetString(body.AsSpan(4)));
                    break;
                case var other:
                    throw new InvalidDataException($"PostgreSQL asks for authentication {other}; only SCRAM-SHA-256 is known here");
            }
        }
    }

    private async Task SendAsync(char type, byte[] body, CancellationToken cancellationToken)
    {
        var message = new byte[5 + body.Length];
        message[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), 4 + body.Length);
        body.CopyTo(message, 5);
        await _stream.WriteAsync(message, cancellationToken);
    }

    private async Task<(char Type, byte[] Body)> ReceiveAsync(CancellationToken cancellationToken)
    {
        var head = new byte[5];
        await _stream.ReadExactlyAsync(head, cancellationToken);
        var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1)) - 4;
        if (length is < 0 or > MaxMessage)
        {
            throw new InvalidDataException($"PostgreSQL announced a message of {length} bytes");
        }

        var body = new byte[length];
        await _stream.ReadExactlyAsync(body, cancellationToken);
        return head[0] == 'E' ? throw new InvalidDataException($"PostgreSQL: {ReadError(body)}") : ((char)head[0], body);
    }

    private static string?[] ReadRow(byte[] body)
    {
        var columns = new string?[BinaryPrimitives.ReadInt16BigEndian(body)];
        var at = 2;
        for (var i = 0; i < columns.Length; i++)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(at));
            at += 4;
            if (length >= 0)
            {
                columns[i] = Encoding.UTF8.GetString(body.AsSpan(at, length));
                at += length;
            }
        }

        return columns;
    }

    /// <summary>The fields of an error are a letter and a terminated text each; M is the message.</summary>
    private static string ReadError(byte[] body) =>
        Encoding.UTF8.GetString(body).Split('\0').FirstOrDefault(field => field.StartsWith('M'))?[1..] ?? "an error without a message";

    private static byte[] Terminated(string text) => [.. Encoding.UTF8.GetBytes(text), 0];
}
