using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Bpf;
using Fairlead.Linux.Sockets;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Capture;

/// <summary>
/// Capture by a BPF sk_lookup program: the kernel hands connections to owned addresses to one listener and datagrams to one socket,
/// whatever their port. Everything hangs on descriptors of this process, so nothing is left when it ends in any way. Linux 5.9 and later.
/// </summary>
/// <remarks>
/// A connection's accepted socket has the service's port, so while one lives, a local program that binds that port on 0.0.0.0 needs
/// SO_REUSEADDR, which servers set anyway because of their own TIME_WAIT.
/// </remarks>
internal sealed class SkLookupCapture : ILoopbackCapture
{
    /// <summary>Keys in the kernel's table: every address of a /14 with a key of its own and as many ports again. 4 MiB of buckets, elements on demand.</summary>
    private const int MaxKeys = 1 << 19;

    /// <summary>The first kernel whose programs may ask by which device a packet came.</summary>
    private static readonly Version IngressInterfaceSince = new(5, 17);

    private readonly CaptureOptions options;
    private readonly BpfMap<ulong, byte> table;
    private readonly BpfMap<uint, ulong> sockets;
    private readonly BpfProgram program;
    private readonly Socket listener;
    private readonly UdpIntake intake;
    private readonly RawUdpSender sender;
    private readonly SemaphoreSlim updating = new(1);
    private int disposed;
    private readonly HashSet<ulong> installed = [];

    private SkLookupCapture(CaptureOptions options, DisposeStack undo)
    {
        this.options = options;
        table = undo.Push(BpfMap<ulong, byte>.Create(BpfMapType.Hash, "fairlead_table", MaxKeys, BpfMap.NoPreallocation));
        sockets = undo.Push(BpfMap<uint, ulong>.Create(BpfMapType.SocketMap, "fairlead_socks", 2));
        listener = undo.Push(CaptureListener.Open(options.Range.BaseAddress));
        intake = undo.Push(new UdpIntake(options.Range.BaseAddress));
        sender = undo.Push(new RawUdpSender());
        sockets.Set(SkLookupProgram.TcpSocket, (ulong)listener.SafeHandle.DangerousGetHandle());
        sockets.Set(SkLookupProgram.UdpSocket, (ulong)intake.Handle.DangerousGetHandle());
        program = undo.Push(Load(loopbackOnly: Environment.OSVersion.Version >= IngressInterfaceSince));
        program.AttachToCurrentNamespace();

        // Owning the sockets' own address refuses whoever connects to them directly.
        table.Set(SkLookupProgram.KeyOf(options.Range.BaseAddress), 1);
    }

    public CaptureWay Way => CaptureWay.SkLookup;

    /// <summary>In the calling thread's network namespace, whatever threads call later.</summary>
    /// <exception cref="HostException">The kernel can't or may not; the message says which.</exception>
    public static SkLookupCapture Open(CaptureOptions options)
    {
        using var undo = new DisposeStack();
        try
        {
            var capture = new SkLookupCapture(options, undo);
            undo.Keep();
            return capture;
        }
        catch (SocketException exception)
        {
            throw new HostException($"The sockets of the capture can't be opened: {exception.Message}.", exception);
        }
    }

    public async Task<CaptureResult> UpdateAsync(CaptureTable next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        options.Check(next);
        await updating.WaitAsync(cancellationToken);
        try
        {
            Apply(next);
            return CaptureResult.Complete;
        }
        finally
        {
            updating.Release();
        }
    }

    public async ValueTask<CapturedConnection> AcceptAsync(CancellationToken cancellationToken)
    {
        var socket = await CaptureListener.AcceptAsync(listener, cancellationToken);
        return new CapturedConnection(socket, (IPEndPoint)socket.LocalEndPoint!);
    }

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await intake.ReceiveAsync(buffer, cancellationToken);
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.OperationAborted)
        {
            throw new ObjectDisposedException(nameof(SkLookupCapture), exception);
        }
    }

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        sender.Send(source, client, payload.Span);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await updating.WaitAsync();
        program.Dispose(); // first: from here the host's own lookup decides
        listener.Dispose();
        intake.Dispose();
        sender.Dispose();
        sockets.Dispose();
        table.Dispose();
        updating.Dispose();
    }

    private BpfProgram Load(bool loopbackOnly) =>
        BpfProgram.LoadSocketLookup("fairlead_lookup", SkLookupProgram.Assemble(table.Descriptor, sockets.Descriptor, loopbackOnly));

    /// <summary>
    /// An address flips between "the host's" and "ours" by one key, so its ports are set before it and removed after it: no connection
    /// meets a half-made service.
    /// </summary>
    private void Apply(CaptureTable next)
    {
        var ports = next.Entries.Select(SkLookupProgram.KeyOf).ToHashSet();
        var addresses = next.OwnedAddresses.Select(SkLookupProgram.KeyOf).ToHashSet();
        if (ports.Count + addresses.Count >= MaxKeys)
        {
            throw new HostException($"{ports.Count} ports of {addresses.Count} addresses are more than the {MaxKeys} that can be captured.");
        }

        Add(ports.Where(key => !installed.Contains(key)).ToArray());
        Add(addresses.Where(key => !installed.Contains(key)).ToArray());
        var gone = installed.Where(key => !ports.Contains(key) && !addresses.Contains(key)).ToArray();
        Remove(gone.Where(IsAddress).ToArray());
        Remove(gone.Where(key => !IsAddress(key)).ToArray());
    }

    private static bool IsAddress(ulong key) => key >> 32 == 0;

    private void Add(ulong[] keys)
    {
        var done = 0;
        try
        {
            table.SetAll(keys, 1, out done);
        }
        finally
        {
            installed.UnionWith(keys.AsSpan(0, done).ToArray());
        }
    }

    private void Remove(ulong[] keys)
    {
        var done = 0;
        try
        {
            table.RemoveAll(keys, out done);
        }
        finally
        {
            installed.ExceptWith(keys.AsSpan(0, done).ToArray());
        }
    }
}
