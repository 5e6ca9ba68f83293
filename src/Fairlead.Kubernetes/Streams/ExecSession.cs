using System.Buffers;
using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <param name="Command">Program and arguments; no shell is involved.</param>
/// <param name="Container">Needed when the pod has several.</param>
/// <param name="Tty">With a terminal: stderr comes on stdout.</param>
public sealed record ExecOptions(IReadOnlyList<string> Command, string? Container = null, bool Stdin = false, bool Stdout = true, bool Stderr = true, bool Tty = false);

/// <param name="Container">Needed when the pod has several.</param>
public sealed record AttachOptions(string? Container = null, bool Stdin = false, bool Stdout = false, bool Stderr = false);

/// <summary>
/// A command that runs in a container. <see cref="Stdout"/> and <see cref="Stderr"/> share one connection: read both, or one that is full
/// (256 KiB) stops the other. Disposing ends the connection; the command may live on, as with kubectl.
/// </summary>
public sealed class ExecSession : IAsyncDisposable
{
    /// <summary>Protocols in the order of preference. The newer one is the same but for a way to close stdin.</summary>
    internal static readonly IReadOnlyList<string> Protocols = [WithClose, "v4.channel.k8s.io"];

    private const string WithClose = "v5.channel.k8s.io";
    private const byte StdinChannel = 0, StdoutChannel = 1, StderrChannel = 2, StatusChannel = 3, ResizeChannel = 4, CloseChannel = 255;
    private const int MaxStatus = 64 * 1024;

    private readonly ChannelSocket _socket;
    private readonly ChannelStream _stdin, _stdout, _stderr;
    private readonly ArrayBufferWriter<byte> _status = new();
    private readonly TaskCompletionSource<int> _exitCode = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal ExecSession(WebSocket socket, TimeProvider time, ExecOptions options)
    {
        _stdin = new ChannelStream(options.Stdin ? (data, ct) => _socket!.SendAsync(StdinChannel, data, ct) : null, readable: false);
        _stdout = new ChannelStream(send: null, options.Stdout);
        _stderr = new ChannelStream(send: null, options.Stderr && !options.Tty);
        _socket = new ChannelSocket(socket, time, ReceiveAsync, Ended);
    }

    public Stream Stdin => _stdin;

    public Stream Stdout => _stdout;

    public Stream Stderr => _stderr;

    /// <summary>
    /// The command's exit code, once it has ended and all that it wrote was received. Fails with a <see cref="KubernetesException"/> when
    /// it could not be started or the connection broke before it ended.
    /// </summary>
    public Task<int> ExitCode => _exitCode.Task;

    /// <summary>Tells a terminal its size, in characters.</summary>
    public ValueTask ResizeAsync(int columns, int rows, CancellationToken cancellationToken = default) =>
        _socket.SendAsync(ResizeChannel, JsonSerializer.SerializeToUtf8Bytes<JsonNode>(
            new JsonObject { ["Width"] = columns, ["Height"] = rows }, ModelJson.Of<JsonNode>()), cancellationToken);

    /// <summary>The command reads to the end of its standard input. Servers older than 1.30 can't do that.</summary>
    /// <exception cref="NotSupportedException">The server speaks only the protocol that can't.</exception>
    public ValueTask CloseStdinAsync(CancellationToken cancellationToken = default) =>
        _socket.Protocol == WithClose
            ? _socket.SendAsync(CloseChannel, new[] { StdinChannel }, cancellationToken)
            : throw new NotSupportedException("this server can't close the standard input of a command (it needs Kubernetes 1.30)");

    public async ValueTask DisposeAsync() => await _socket.DisposeAsync();

    private ValueTask ReceiveAsync(byte channel, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        switch (channel)
        {
            case StdoutChannel when _stdout.CanRead:
                return _stdout.ReceiveAsync(data, cancellationToken);
            case StderrChannel when _stderr.CanRead:
                return _stderr.ReceiveAsync(data, cancellationToken);
            case StatusChannel when _status.WrittenCount + data.Length <= MaxStatus:
                _status.Write(data.Span);
                return default;
            default:
                throw new KubernetesException(0, KubernetesException.Malformed, $"exec: {data.Length} bytes on channel {channel}, which was not asked for or is full");
        }
    }

    private void Ended(Exception? failure)
    {
        _stdin.End(failure);
        _stdout.End(failure);
        _stderr.End(failure);
        if (_status.WrittenCount > 0)
        {
            ReadStatus();
        }
        else
        {
            _exitCode.TrySetException(failure ?? new KubernetesException(0, KubernetesException.Unreachable, "exec: the connection ended before the command did"));
        }

        _ = _exitCode.Task.Exception; // who doesn't ask for the exit code isn't told on the finalizer thread either
    }

    private void ReadStatus()
    {
        try
        {
            var status = JsonSerializer.Deserialize(_status.WrittenSpan, ModelJson.Of<Status>())!;
            if (status.Outcome == "Success")
            {
                _exitCode.TrySetResult(0);
            }
            else if (status.Details?.Causes.FirstOrDefault(c => c.Reason == "ExitCode")?.Message is { } text
                && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var code))
            {
                _exitCode.TrySetResult(code);
            }
            else
            {
                _exitCode.TrySetException(ResponseBody.Failure("exec", status, fallbackCode: 500));
            }
        }
        catch (JsonException e)
        {
            _exitCode.TrySetException(new KubernetesException(0, KubernetesException.Malformed, $"exec: its status is not understood: {e.Message}", inner: e));
        }
    }
}
