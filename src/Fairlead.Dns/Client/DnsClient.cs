using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Client;

public sealed record DnsClientOptions
{
    /// <summary>For one attempt.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Over UDP; a truncated answer is asked for again over TCP once.</summary>
    public int Attempts { get; init; } = 2;

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>The server gave no usable answer.</summary>
public sealed class DnsExchangeException(string message, Exception? innerException) : Exception(message, innerException);

/// <summary>
/// Asks one server. Each attempt has a fresh socket (so a port from the kernel) and a random id; an answer counts only when it comes from the
/// server with that id and repeats the question (RFC 5452). Holds nothing; thread-safe.
/// </summary>
public sealed class DnsClient(DnsClientOptions? options = null)
{
    private readonly DnsClientOptions options = options ?? new DnsClientOptions();

    /// <exception cref="DnsExchangeException">No usable answer in all attempts.</exception>
    public Task<DnsMessage> QueryAsync(IPEndPoint server, DnsName name, DnsType type, CancellationToken cancellationToken) =>
        ExchangeAsync(server, DnsMessage.Query(0, name, type), cancellationToken);

    /// <summary>Asks a query; its id is of no importance.</summary>
    /// <exception cref="DnsExchangeException">No usable answer in all attempts.</exception>
    public async Task<DnsMessage> ExchangeAsync(IPEndPoint server, DnsMessage query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        var answer = await ExchangeAsync(server, query.ToArray(), cancellationToken);
        try
        {
            return DnsMessage.Parse(answer);
        }
        catch (DnsFormatException exception)
        {
            throw new DnsExchangeException($"The DNS server {server} answered with a malformed message.", exception);
        }
    }

    /// <summary>Forwards a raw query and gives the raw answer, which has the query's id.</summary>
    /// <exception cref="DnsFormatException"><paramref name="query"/> is not a query with a question.</exception>
    /// <exception cref="DnsExchangeException">No usable answer in all attempts.</exception>
    public async Task<byte[]> ExchangeAsync(IPEndPoint server, ReadOnlyMemory<byte> query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(server);
        var expected = Expectation.Of(query.Span);
        var attempt = query.ToArray();
        Exception? failure = null;
        for (var i = 0; i < options.Attempts; i++)
        {
            using var deadline = new Deadline(options.Timeout, options.Time, cancellationToken);
            try
            {
                expected.Id = (ushort)RandomNumberGenerator.GetInt32(0x10000);
                DnsMessage.WriteId(attempt, expected.Id);
                var answer = await OverUdpAsync(server, attempt, expected, deadline.Token);
                if ((answer[2] & 0x02) != 0)
                {
                    answer = await OverTcpAsync(server, attempt, expected, deadline.Token);
                }

                DnsMessage.WriteId(answer, DnsMessage.ReadId(query.Span));
                return answer;
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                failure = new TimeoutException($"no answer within {options.Timeout.TotalSeconds} s", exception);
            }
            catch (Exception exception) when (exception is SocketException or DnsFormatException)
            {
                failure = exception;
            }
        }

        throw new DnsExchangeException($"The DNS server {server} didn't answer: {failure?.Message}.", failure);
    }

    private static async Task<byte[]> OverUdpAsync(IPEndPoint server, byte[] query, Expectation expected, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellationToken);
        await socket.SendAsync(query.AsMemory(), cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(ushort.MaxValue);
        try
        {
            while (true)
            {
                // What doesn't match may be a late answer or a forgery: wait on until the deadline.
                var length = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                if (expected.IsMetBy(buffer.AsSpan(0, length)))
                {
                    return buffer[..length];
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<byte[]> OverTcpAsync(IPEndPoint server, byte[] query, Expectation expected, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, cancellationToken);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        var framed = new byte[query.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)query.Length);
        query.CopyTo(framed, 2);
        try
        {
            await stream.WriteAsync(framed, cancellationToken);
            await stream.ReadExactlyAsync(framed.AsMemory(0, 2), cancellationToken);
            var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(framed)];
            await stream.ReadExactlyAsync(answer, cancellationToken);
            return expected.IsMetBy(answer) ? answer : throw new DnsFormatException("the answer over TCP belongs to another question");
        }
        catch (IOException exception)
        {
            throw exception.InnerException as SocketException ?? new SocketException((int)SocketError.ConnectionReset);
        }
    }

    /// <summary>What an answer must have: the id, the response bit, the opcode, the question.</summary>
    private sealed class Expectation
    {
        private readonly int opcode;
        private readonly DnsQuestion question;

        private Expectation(int opcode, DnsQuestion question) => (this.opcode, this.question) = (opcode, question);

        public ushort Id { get; set; }

        public static Expectation Of(ReadOnlySpan<byte> query)
        {
            var message = DnsMessage.Parse(query);
            return message is { IsResponse: false, Questions: [var question] }
                ? new Expectation(message.Opcode, question)
                : throw new DnsFormatException("not a query with one question");
        }

        public bool IsMetBy(ReadOnlySpan<byte> answer)
        {
            if (answer.Length < DnsMessage.HeaderLength || DnsMessage.ReadId(answer) != Id || answer[2] >> 3 != (0x10 | opcode))
            {
                return false;
            }

            // Some servers refuse without repeating the question; never so with an answer or a denial.
            if (BinaryPrimitives.ReadUInt16BigEndian(answer[4..]) == 0)
            {
                return (DnsResponseCode)(answer[3] & 0xf) is not (DnsResponseCode.NoError or DnsResponseCode.NameError);
            }

            try
            {
                var reader = new DnsReader(answer);
                reader.Skip(DnsMessage.HeaderLength);
                return reader.ReadName().Equals(question.Name) && reader.ReadUInt16() == (ushort)question.Type && reader.ReadUInt16() == (ushort)question.Class;
            }
            catch (DnsFormatException)
            {
                return false;
            }
        }
    }
}
