using System.Net.Sockets;
using System.Net;
using System.Threading.Channels;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Files;
using Fairlead.Platform.Firewall;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Peers;
using Fairlead.Platform.Resolver;
using Fairlead.Platform.Routes;
using Fairlead.Platform;
using Fairlead.Dns.Server;
using AnswerDatagram = Fairlead.Platform.Sockets.AnswerDatagram;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A host in memory, but for its directories, which are temporary and deleted with it.</summary>
internal sealed class FakeHost : IHost, IHostPaths, IPeerCredentials, IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;

    public string StateDirectory => Path.Combine(directory, "state");

    public string RunDirectory => Path.Combine(directory, "run");

    public string HostsFile => "/etc/hosts";

    public IHostPaths Paths => this;

    public IPeerCredentials Peers => this;

    public FakeHostFile Hosts { get; } = new("127.0.0.1 localhost\n");

    public FakeJournal Journal { get; } = new();

    public FakeCapture Capture { get; private set; } = new();

    public FakeResolver Resolver { get; } = new();

    public IHostResolver OpenResolver(IHostJournal journal) => Resolver;

    /// <summary>Who every caller of the local API is.</summary>
    public uint CallerUid { get; set; }

    public bool Busy { get; set; }

    public ulong RaiseOpenFileLimit() => 1024;

    public IHostJournal OpenJournal() => Busy ? throw new HostBusyException("held", 4711) : Journal;

    public Task<IHostFile> OpenFileAsync(string path, CancellationToken cancellationToken) => Task.FromResult<IHostFile>(Hosts);

    public Task<CaptureSelection> OpenCaptureAsync(CaptureOptions options, IHostJournal journal, CancellationToken cancellationToken)
    {
        Capture = new FakeCapture();
        return Task.FromResult(new CaptureSelection(Capture, []));
    }

    public Task ServeDatagramsAsync(Socket socket, int room, AnswerDatagram answer, Action<Exception> unsent, CancellationToken cancellationToken) =>
        SingleDatagrams.RunAsync(socket, room, answer.Invoke, unsent, cancellationToken);

    public Task<ITunCapture> OpenTunAsync(TunOptions options, CancellationToken cancellationToken)
    {
        if (TunFailure is { } failure)
        {
            throw failure;
        }

        Tuns.Add(new IdleTun(7 + Tuns.Count));
        return Task.FromResult<ITunCapture>(Tuns[^1]);
    }

    /// <summary>Those that were opened, in their order.</summary>
    public List<IdleTun> Tuns { get; } = [];

    public HostException? TunFailure { get; set; }

    public FakeRoutes Routes { get; } = new();

    public IHostRoutes OpenRoutes(IHostJournal journal) => Routes.Open();

    public IReadOnlyList<EgressBlock> EgressBlocks { get; set; } = [];

    public Task<IReadOnlyList<EgressBlock>> FindEgressBlocksAsync(string device, CancellationToken cancellationToken) => Task.FromResult(EgressBlocks);

    public Task<bool> TryUndoAsync(HostChange change, CancellationToken cancellationToken) => Task.FromResult(change.Kind == "nft-table");

    public PeerIdentity Of(Socket socket) => new(CallerUid, CallerUid, 1);

    public void Dispose() => Directory.Delete(directory, recursive: true);
}

internal sealed class FakeHostFile(string original) : IHostFile
{
    private string content = original;

    private readonly Channel<HostFileChanged> changes = Channel.CreateUnbounded<HostFileChanged>();
    private readonly Lock gate = new();

    public string Path => "/etc/hosts";

    public int Writes { get; private set; }

    /// <summary>Thrown by every access while it is set.</summary>
    public HostException? Failure { get; set; }

    public string Content
    {
        get
        {
            lock (gate)
            {
                return content;
            }
        }
    }

    /// <summary>As another program does it.</summary>
    public void Edit(Func<string, string> edit)
    {
        lock (gate)
        {
            content = edit(content);
        }

        changes.Writer.TryWrite(default);
    }

    public Task<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken) =>
        Failure is null ? Task.FromResult<ReadOnlyMemory<byte>>(System.Text.Encoding.Latin1.GetBytes(Content)) : throw Failure;

    public Task<bool> UpdateAsync(Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> edit, CancellationToken cancellationToken)
    {
        if (Failure is not null)
        {
            throw Failure;
        }

        lock (gate)
        {
            var next = System.Text.Encoding.Latin1.GetString(edit(System.Text.Encoding.Latin1.GetBytes(content)).Span);
            if (next == content)
            {
                return Task.FromResult(false);
            }

            content = next;
            Writes++;
        }

        changes.Writer.TryWrite(default);
        return Task.FromResult(true);
    }

    public IAsyncEnumerable<HostFileChanged> WatchAsync(CancellationToken cancellationToken) => changes.Reader.ReadAllAsync(cancellationToken);

    public void Dispose()
    {
    }
}

internal sealed class FakeJournal : IHostJournal
{
    private readonly List<HostChange> pending = [];
    private long next;

    public IReadOnlyList<HostChange> Pending => pending;

    public int DamagedLines => 0;

    public HostChange Record(string kind, string subject)
    {
        var change = new HostChange(++next, kind, subject);
        pending.Add(change);
        return change;
    }

    public void MarkUndone(HostChange change) => pending.RemoveAll(known => known.Id == change.Id);

    public void Dispose()
    {
    }
}

internal sealed class FakeCapture : ILoopbackCapture
{
    private readonly CancellationTokenSource disposed = new();

    public Channel<CapturedConnection> Connections { get; } = Channel.CreateUnbounded<CapturedConnection>();

    public Channel<(IPEndPoint Client, IPEndPoint Destination, byte[] Payload)> Datagrams { get; } = Channel.CreateUnbounded<(IPEndPoint, IPEndPoint, byte[])>();

    public Channel<(IPEndPoint Source, IPEndPoint Client, byte[] Payload)> Sent { get; } = Channel.CreateUnbounded<(IPEndPoint, IPEndPoint, byte[])>();

    public CaptureTable Table { get; private set; } = CaptureTable.Empty;

    public int Updates { get; private set; }

    public Func<CaptureTable, IReadOnlyList<CaptureFailure>> Fail { get; set; } = _ => [];

    public CaptureWay Way => CaptureWay.SkLookup;

    public bool IsDisposed => disposed.IsCancellationRequested;

    public Task<CaptureResult> UpdateAsync(CaptureTable table, CancellationToken cancellationToken)
    {
        Table = table;
        Updates++;
        return Task.FromResult(new CaptureResult(Fail(table)));
    }

    public async ValueTask<CapturedConnection> AcceptAsync(CancellationToken cancellationToken) => await Connections.Reader.ReadAsync(cancellationToken);

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var (client, destination, payload) = await Datagrams.Reader.ReadAsync(cancellationToken);
        payload.CopyTo(buffer);
        return new CapturedDatagram(client, destination, payload.Length);
    }

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) =>
        Sent.Writer.WriteAsync((source, client, payload.ToArray()), cancellationToken);

    public async ValueTask DisposeAsync() => await disposed.CancelAsync();
}
