using System.Text;

namespace Fairlead.Kubernetes;

public sealed partial class KubernetesClient
{
    /// <summary>Channels are one byte, two per port.</summary>
    private const int MaxForwardedPorts = 127;

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
    /// Connects to one port of a pod, or several. Whether anything listens there shows when the streams are read. The caller disposes
    /// the session.
    /// </summary>
    public async Task<PortForwardSession> PortForwardAsync(string ns, string pod, IReadOnlyList<int> ports, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(ports.Count, nameof(ports));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ports.Count, MaxForwardedPorts, nameof(ports));
        var path = Resources.Pods.ObjectPath(ns, pod, "portforward") + "?" + string.Join('&', ports.Select(p => $"ports={p}"));
        return new PortForwardSession(await _transport.UpgradeAsync(path, PortForwardSession.Protocols, cancellationToken), _time, ports);
    }

    private static string Flag(bool value) => value ? "true" : "false";
}
