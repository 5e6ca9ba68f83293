using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Shop.Sockets;

/// <summary>
/// No part of the shop: the far side of the end-to-end tests of flows, here so that they ask a cluster for no image but the one it has. Each TCP connection
/// begins with a line that says what becomes of it; another one asks how it went. Datagrams are given back.
/// </summary>
internal static class PeerRole
{
    private const int Port = 9000;
    private const int DatagramPort = 9001;
    private const int ChunkBytes = 256 << 10;
    private const int MaxLine = 256;

    /// <summary>How each connection went, by the name that its first line gave: state, bytes, SHA-256.</summary>
    private static readonly ConcurrentDictionary<string, (string State, long Bytes, string Sha256)> Reports = new();

    /// <summary>What held connections wait for.</summary>
    private static readonly ConcurrentDictionary<string, TaskCompletionSource> Releases = new();

    public static Task RunAsync(IEnumerable<IPAddress> addresses, CancellationToken cancellationToken) => Task.WhenAll(addresses.SelectMany(address => new[]
    {
        SocketServer.StreamsAsync(new IPEndPoint(address, Port), ServeAsync, cancellationToken),
        SocketServer.DatagramsAsync(new IPEndPoint(address, DatagramPort), cancellationToken),
    }));

    private static async Task ServeAsync(Socket socket, CancellationToken cancellationToken)
    {
        switch ((await ReadLineAsync(socket, cancellationToken)).Split(' '))
        {
            case ["name"]:
                await SayAsync(socket, Environment.MachineName, cancellationToken);
                break;
            case ["report", var name]:
                var (state, bytes, sha256) = Reports.GetValueOrDefault(name, ("unknown", 0, "-"));
                await SayAsync(socket, $"{state} {bytes.ToString(CultureInfo.InvariantCulture)} {sha256}\n", cancellationToken);
                break;
            case ["release", var name]:
                ReleaseOf(name).TrySetResult();
                break;
            case ["answer", var name, var length]: // takes all, then answers with its hash and as many bytes as asked for
                await ReadToEndAsync(socket, name, cancellationToken);
                await SayAsync(socket, Reports[name].Sha256, cancellationToken);
                await SendRandomAsync(socket, name, long.Parse(length, CultureInfo.InvariantCulture), cancellationToken);
                break;
            case ["farewell", var name]: // half-closes first
                await SayAsync(socket, "bye", cancellationToken);
                socket.Shutdown(SocketShutdown.Send);
                await ReadToEndAsync(socket, name, cancellationToken);
                break;
            case ["take", var name]:
                await SayAsync(socket, "ready", cancellationToken);
                await ReadToEndAsync(socket, name, cancellationToken);
                break;
            case ["hold", var name]: // reads nothing until released
                await SayAsync(socket, "ready", cancellationToken);
                await ReleaseOf(name).Task.WaitAsync(cancellationToken);
                await ReadToEndAsync(socket, name, cancellationToken);
                break;
            case ["flood", var name, var length]:
                await SendRandomAsync(socket, name, long.Parse(length, CultureInfo.InvariantCulture), cancellationToken);
                break;
            case ["reset"]:
                await SayAsync(socket, "ready", cancellationToken);
                await socket.ReceiveAsync(new byte[1], cancellationToken);
                socket.LingerState = new LingerOption(true, 0);
                break;
        }
    }

    private static TaskCompletionSource ReleaseOf(string name) => Releases.GetOrAdd(name, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Byte by byte: what follows is for whoever reads on.</summary>
    private static async Task<string> ReadLineAsync(Socket socket, CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        for (var one = new byte[1]; line.Length < MaxLine && await socket.ReceiveAsync(one, cancellationToken) > 0 && one[0] != '\n';)
        {
            line.Append((char)one[0]);
        }

        return line.ToString();
    }

    private static Task SayAsync(Socket socket, string text, CancellationToken cancellationToken) => SocketServer.SendAsync(socket, Encoding.ASCII.GetBytes(text), cancellationToken);

    private static async Task ReadToEndAsync(Socket socket, string name, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[ChunkBytes];
        var count = 0L;
        try
        {
            for (int read; (read = await socket.ReceiveAsync(buffer, cancellationToken)) > 0; Reports[name] = ("reading", count, "-"))
            {
                count += read;
                hash.AppendData(buffer, 0, read);
            }

            Reports[name] = ("end", count, Convert.ToHexStringLower(hash.GetHashAndReset()));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            Reports[name] = ("reset", count, Convert.ToHexStringLower(hash.GetHashAndReset()));
            throw;
        }
    }

    private static async Task SendRandomAsync(Socket socket, string name, long length, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[ChunkBytes];
        for (var count = 0L; count < length; Reports[name] = ("sending", count, "-"))
        {
            var chunk = buffer.AsMemory(0, (int)Math.Min(buffer.Length, length - count));
            RandomNumberGenerator.Fill(chunk.Span);
            await SocketServer.SendAsync(socket, chunk, cancellationToken);
            hash.AppendData(chunk.Span);
            count += chunk.Length;
        }

        Reports[name] = ("sent", length, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
