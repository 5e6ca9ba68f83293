using System.Text;
using Fairlead.Kubernetes.Spdy;

namespace Fairlead.Kubernetes;

public sealed partial class KubernetesClient
{
    /// <summary>Channels are one byte, two per port.</summary>
    private const int MaxForwardedPorts = 127;

    /// <summary>After an upgrade to SPDY was refused: a proxy may be replaced, a role widened.</summary>
    private static readonly TimeSpan WebSocketsFor = TimeSpan.FromMinutes(10);

    /// <summary>When SPDY is tried again, a timestamp; 0: now.</summary>
    private long _webSocketsUntil;

    /// <summary>Starts a command in a running container. The caller disposes the session.</summary>
    public async Task<ExecSession> ExecAsync(string ns, string pod, ExecOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.Command.Count, nameof(options));
        var path = new StringBuilder(ResourcePath.WithQuery(Resources.Pods.ObjectPath(ns, pod, "exec"),
            ("stdin", Flag(options.Stdin)), ("stdout", Flag(options.Stdout)), ("stderr", Flag(options.Stderr && !options.Tty)), ("tty", Flag(options.Tty)),
            ("container", options.Container)));
        foreach (var word in options.Command)
        {
            path.Append("&command=").Append(Uri.EscapeDataString(word));
        }

        return new ExecSession(await _transport.UpgradeAsync(path.ToString(), ExecSession.Protocols, cancellationToken), _time, options);
    }

    /// <summary>The standard streams of a container that runs. The caller disposes the session.</summary>
    public async Task<ExecSession> AttachAsync(string ns, string pod, AttachOptions options, CancellationToken cancellationToken = default)
    {
        var path = ResourcePath.WithQuery(Resources.Pods.ObjectPath(ns, pod, "attach"),
            ("stdin", Flag(options.Stdin)), ("stdout", Flag(options.Stdout)), ("stderr", Flag(options.Stderr)), ("container", options.Container));
        return new ExecSession(
            await _transport.UpgradeAsync(path, ExecSession.Protocols, cancellationToken), _time, new ExecOptions([], options.Container, options.Stdin, options.Stdout, options.Stderr));
    }

    /// <summary>
    /// Connects to one port of a pod: by SPDY/3.1 as <c>kubectl port-forward</c> does, which costs API server and node a third of what WebSockets cost them,
    /// and by a WebSocket where something on the way refuses that. Whether anything listens there shows when the stream is read: it ends with 0 when the pod
    /// closed, and throws <see cref="IOException"/> when the port could not be reached (with the node's words) or the connection broke. Neither end can close one
    /// way only. One read and one write at a time; the caller disposes it.
    /// </summary>
    /// <exception cref="KubernetesException">Refused, or no answer.</exception>
    public async Task<Stream> ConnectPodAsync(string ns, string pod, int port, CancellationToken cancellationToken = default)
    {
        if (_time.GetTimestamp() < Volatile.Read(ref _webSocketsUntil))
        {
            return new SessionStream(await PortForwardAsync(ns, pod, [port], cancellationToken));
        }

        try
        {
            var connection = await _transport.UpgradeAsync(
                Resources.Pods.ObjectPath(ns, pod, "portforward"), SpdyPortStream.Upgrade, (SpdyPortStream.ProtocolHeader, SpdyPortStream.Protocol), cancellationToken);
            return await SpdyPortStream.OpenAsync(connection, port, cancellationToken);
        }
        catch (KubernetesException e) when (e.Code is not (0 or 401 or 404))
        {
            // A proxy may know only WebSockets, a role only their verb: get, where this takes create.
            var session = await PortForwardAsync(ns, pod, [port], cancellationToken);
            if (RefusesUpgrade(e.Code))
            {
                Volatile.Write(ref _webSocketsUntil, _time.GetTimestamp() + (long)(WebSocketsFor.TotalSeconds * _time.TimestampFrequency));
            }

            return new SessionStream(session);
        }
        catch (IOException e)
        {
            throw new KubernetesException(0, KubernetesException.Unreachable, $"the connection to pod {pod} broke off: {e.Message}", inner: e);
        }
    }

    /// <summary>
    /// Connects to one port of a pod, or several, by a WebSocket. Whether anything listens there shows when the streams are read. The caller disposes
    /// the session.
    /// </summary>
    public async Task<PortForwardSession> PortForwardAsync(string ns, string pod, IReadOnlyList<int> ports, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(ports.Count, nameof(ports));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ports.Count, MaxForwardedPorts, nameof(ports));
        var path = Resources.Pods.ObjectPath(ns, pod, "portforward") + "?" + string.Join('&', ports.Select(p => $"ports={p}"));
        return new PortForwardSession(await _transport.UpgradeAsync(path, PortForwardSession.Protocols, cancellationToken), _time, ports);
    }

    /// <summary>Whether the next upgrade to SPDY would be answered so, too: other protocols were meant, the role has no such verb, or nobody knows such an upgrade. Too many requests, or a server in trouble, pass.</summary>
    private static bool RefusesUpgrade(int status) => status is 101 or 200 or 400 or 403 or 405 or 426 or 501;

    private static string Flag(bool value) => value ? "true" : "false";
}
