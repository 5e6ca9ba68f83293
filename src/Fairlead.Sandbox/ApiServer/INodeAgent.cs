namespace Fairlead.Sandbox.ApiServer;

public sealed record ContainerId(string Namespace, string Pod, string Container);

/// <summary><paramref name="Follow"/>: the stream stays open until the container ends. <paramref name="Previous"/>: the run before the last restart.</summary>
public sealed record LogOptions(bool Follow, bool Previous, int? TailLines, bool Timestamps, int? SinceSeconds);

public sealed record ExecRequest(IReadOnlyList<string> Command, bool Stdin, bool Stdout, bool Stderr, bool Tty);

/// <summary>One running command. Streams that were not asked for are <see cref="Stream.Null"/>. Disposing it ends the command.</summary>
public interface IExecSession : IAsyncDisposable
{
    Stream Stdin { get; }

    Stream Stdout { get; }

    Stream Stderr { get; }

    void Resize(int columns, int rows);

    /// <summary>The exit code once the command has ended and its output has been read.</summary>
    Task<int> ExitCode { get; }
}

/// <summary>What the API server asks of the node that runs a pod: the kubelet's part of log, exec, attach and port-forward.</summary>
public interface INodeAgent
{
    Task<Stream> OpenLogAsync(ContainerId container, LogOptions options, CancellationToken cancellationToken);

    Task<IExecSession> ExecAsync(ContainerId container, ExecRequest request, CancellationToken cancellationToken);

    /// <summary>The standard streams of a running container (kubectl attach, kubectl debug -i).</summary>
    Task<IExecSession> AttachAsync(ContainerId container, ExecRequest request, CancellationToken cancellationToken);

    /// <summary>A TCP connection to 127.0.0.1:<paramref name="port"/> inside the pod's network namespace, as port-forward makes it.</summary>
    Task<Stream> DialPodAsync(string @namespace, string pod, int port, CancellationToken cancellationToken);
}
