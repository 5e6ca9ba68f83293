using System.Buffers;
using System.Net.WebSockets;
using System.Text;

namespace Fairlead.Kubernetes;

/// <summary>
/// TCP connections to ports of a pod, one per port, through the API server. In the protocol the ports share one connection, so one that
/// isn't read (256 KiB) stops the others, and neither end can close one way only: when the pod closes, the session has ended.
/// </summary>
public sealed class PortForwardSession : IAsyncDisposable
{
    internal static readonly IReadOnlyList<string> Protocols = ["v4.channel.k8s.io"];

    private readonly ChannelSocket _socket;
    private readonly ForwardedPort[] _ports;

    internal PortForwardSession(WebSocket socket, TimeProvider time, IReadOnlyList<int> ports)
    {
        _ports = [.. ports.Select((port, i) => new ForwardedPort(
            port, new ChannelStream((data, ct) => _socket!.SendAsync((byte)(2 * i), data, ct), readable: true)))];
        _socket = new ChannelSocket(socket, time, ReceiveAsync, Ended);
    }

    /// <summary>In the order in which they were asked for.</summary>
    public IReadOnlyList<ForwardedPort> Ports => _ports;

    public async ValueTask DisposeAsync() => await _socket.DisposeAsync();

    /// <summary>Port <c>i</c> has its data on channel <c>2i</c> and its errors on <c>2i + 1</c>.</summary>
    private ValueTask ReceiveAsync(byte channel, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        channel / 2 < _ports.Length
            ? _ports[channel / 2].ReceiveAsync(channel % 2 == 0, data, cancellationToken)
            : throw new KubernetesException(0, KubernetesException.Malformed, $"port-forward: bytes on channel {channel}, which was not asked for");

    private void Ended(Exception? failure)
    {
        foreach (var port in _ports)
        {
            port.End(failure);
        }
    }
}

/// <summary>One connection to a port of a pod.</summary>
public sealed class ForwardedPort
{
    private const int MaxError = 4096;

    private readonly ChannelStream _stream;
    private readonly ArrayBufferWriter<byte> _error = new();
    private readonly byte[] _dataPrefix = new byte[2], _errorPrefix = new byte[2];
    private int _dataPrefixLength, _errorPrefixLength;

    internal ForwardedPort(int port, ChannelStream stream)
    {
        Port = port;
        _stream = stream;
    }

    public int Port { get; }

    /// <summary>
    /// What the pod sends, and what is sent to it. A read ends with 0 when the pod closed, and throws <see cref="IOException"/>, after the
    /// last byte, when the port could not be reached (with the node's words) or the connection broke.
    /// </summary>
    public Stream Stream => _stream;

    internal ValueTask ReceiveAsync(bool isData, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        bytes = isData ? SkipPrefix(bytes, _dataPrefix, ref _dataPrefixLength) : SkipPrefix(bytes, _errorPrefix, ref _errorPrefixLength);
        if (bytes.IsEmpty)
        {
            return default;
        }

        if (isData)
        {
            return _stream.ReceiveAsync(bytes, cancellationToken);
        }

        // What the node says beyond a few lines helps nobody.
        _error.Write(bytes.Span[..Math.Min(bytes.Length, MaxError - _error.WrittenCount)]);
        return default;
    }

    internal void End(Exception? failure) =>
        _stream.End(_error.WrittenCount > 0
            ? new KubernetesException(0, KubernetesException.Unreachable, Encoding.UTF8.GetString(_error.WrittenSpan).Trim(), inner: failure)
            : failure);

    /// <summary>Each channel begins with the port, two bytes, little endian.</summary>
    private ReadOnlyMemory<byte> SkipPrefix(ReadOnlyMemory<byte> bytes, byte[] prefix, ref int length)
    {
        while (length < 2 && !bytes.IsEmpty)
        {
            prefix[length++] = bytes.Span[0];
            bytes = bytes[1..];
            if (length == 2 && (prefix[0] | (prefix[1] << 8)) is var port && port != Port)
            {
                throw new KubernetesException(0, KubernetesException.Malformed, $"port-forward: port {port} answers where {Port} was asked for");
            }
        }

        return bytes;
    }
}
