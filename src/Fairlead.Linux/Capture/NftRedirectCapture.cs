using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Linux.Sockets;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Journal;
using static Fairlead.Linux.Capture.NftTable;

namespace Fairlead.Linux.Capture;

/// <summary>
/// Capture by destination NAT in a table of our own: TCP to one listener, which learns the original destination from
/// conntrack; each UDP entry to a socket of its own, on a port that no service has, whose replies conntrack turns back. So local programs keep their
/// ports as with BPF. UDP of every port of an address can't be had: the socket couldn't tell which one was meant.
/// </summary>
internal sealed class NftRedirectCapture : ILoopbackCapture
{
    private readonly CaptureOptions options;
    private readonly IHostJournal journal;
    private readonly HostChange change;
    private readonly NftTable table = new(DefaultName);
    private readonly Socket listener;
    private readonly UdpSocketSet datagrams = new();
    private readonly SemaphoreSlim updating = new(1);
    private int disposed;

    /// <summary>Elements in the kernel's sets. A UDP entry's element has its socket's port at its end.</summary>
    private readonly Dictionary<CaptureEntry, string> entries = [];
    private readonly HashSet<IPAddress> owned = [];

    private NftRedirectCapture(CaptureOptions options, IHostJournal journal, HostChange change, Socket listener)
    {
        this.options = options;
        this.journal = journal;
        this.change = change;
        this.listener = listener;
    }

    public CaptureWay Way => CaptureWay.NftRedirect;

    /// <exception cref="HostException">nft is missing, may not, or its kernel side lacks something.</exception>
    public static async Task<NftRedirectCapture> OpenAsync(CaptureOptions options, IHostJournal journal, CancellationToken cancellationToken)
    {
        Socket socket;
        try
        {
            socket = CaptureListener.Open(options.Range.BaseAddress);
        }
        catch (SocketException exception)
        {
            throw new HostException($"The listener of the capture can't be opened: {exception.Message}.", exception);
        }

        var recorded = journal.Record(JournalKind, DefaultName);
        var capture = new NftRedirectCapture(options, journal, recorded, socket);
        try
        {
            await capture.table.CreateAsync((IPEndPoint)socket.LocalEndPoint!, [], cancellationToken);
            return capture;
        }
        catch
        {
            // The transaction failed as a whole, so there is no table of ours; an older one is still in the journal.
            socket.Dispose();
            journal.MarkUndone(recorded);
            throw;
        }
    }

    public async Task<CaptureResult> UpdateAsync(CaptureTable next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        options.Check(next);
        await updating.WaitAsync(cancellationToken);
        try
        {
            var failures = new List<CaptureFailure>();
            var added = new Dictionary<CaptureEntry, string>();
            foreach (var entry in next.Entries.Where(entry => !entries.ContainsKey(entry)))
            {
                if (TryPrepare(entry, out var element) is { } failure)
                {
                    failures.Add(failure);
                }
                else
                {
                    added.Add(entry, element);
                }
            }

            var gone = entries.Where(entry => !next.Entries.Contains(entry.Key)).ToList();
            await ChangeAsync(next, added, gone, cancellationToken);
            foreach (var (entry, _) in gone.Where(entry => entry.Key.Protocol == CaptureProtocol.Udp))
            {
                await datagrams.RemoveAsync(new IPEndPoint(entry.Address, entry.Port));
            }

            return failures.Count == 0 ? CaptureResult.Complete : new CaptureResult(failures);
        }
        finally
        {
            updating.Release();
        }
    }

    public async ValueTask<CapturedConnection> AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var socket = await CaptureListener.AcceptAsync(listener, cancellationToken);
            try
            {
                return new CapturedConnection(socket, OriginalDestination(socket));
            }
            catch (SocketException)
            {
                socket.Dispose(); // reset already, and conntrack has forgotten it
            }
        }
    }

    public ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) => datagrams.ReceiveAsync(buffer, cancellationToken);

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) =>
        datagrams.SendAsync(source, client, payload, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await updating.WaitAsync();
        try
        {
            await table.DeleteAsync(CancellationToken.None);
            journal.MarkUndone(change);
        }
        finally
        {
            listener.Dispose();
            await datagrams.DisposeAsync();
            updating.Dispose();
        }
    }

    /// <summary>One transaction; when it fails, memory and sockets are as before it.</summary>
    private async Task ChangeAsync(
        CaptureTable next, Dictionary<CaptureEntry, string> added, List<KeyValuePair<CaptureEntry, string>> gone, CancellationToken cancellationToken)
    {
        var addedAddresses = next.OwnedAddresses.Where(address => !owned.Contains(address)).ToList();
        var goneAddresses = owned.Where(address => !next.OwnedAddresses.Contains(address)).ToList();
        try
        {
            try
            {
                await table.ChangeAsync(
                    Elements(gone, goneAddresses),
                    Elements(added, addedAddresses),
                    cancellationToken);
            }
            catch (HostException)
            {
                // Somebody flushed the ruleset, as restarting a firewall does: all of it anew.
                await table.CreateAsync(
                    (IPEndPoint)listener.LocalEndPoint!,
                    Elements(entries.Except(gone).Concat(added), next.OwnedAddresses),
                    cancellationToken);
            }
        }
        catch
        {
            foreach (var entry in added.Keys.Where(entry => entry.Protocol == CaptureProtocol.Udp))
            {
                await datagrams.RemoveAsync(new IPEndPoint(entry.Address, entry.Port));
            }

            throw;
        }

        foreach (var (entry, element) in added)
        {
            entries.Add(entry, element);
        }

        foreach (var (entry, _) in gone)
        {
            entries.Remove(entry);
        }

        owned.UnionWith(addedAddresses);
        owned.ExceptWith(goneAddresses);
    }

    private CaptureFailure? TryPrepare(CaptureEntry entry, out string element)
    {
        element = entry.Port == 0 ? $"{entry.Address}" : $"{entry.Address} . {entry.Port}";
        if (entry.Protocol == CaptureProtocol.Tcp)
        {
            return null;
        }

        if (entry.Port == 0)
        {
            return new CaptureFailure(entry, "every UDP port of an address can't be had without BPF", null);
        }

        try
        {
            var local = datagrams.Add(new IPEndPoint(entry.Address, entry.Port), new IPEndPoint(options.Range.BaseAddress, 0));
            element = $"{element} : {local.Port}";
            return null;
        }
        catch (SocketException exception)
        {
            return new CaptureFailure(entry, $"no socket for it: {exception.Message}", null);
        }
    }

    private static List<(Collection Where, string Element)> Elements(IEnumerable<KeyValuePair<CaptureEntry, string>> entries, IEnumerable<IPAddress> addresses) =>
        [.. entries.Select(entry => (CollectionOf(entry.Key), entry.Value)), .. addresses.Select(address => (Collection.Owned, address.ToString()))];

    private static Collection CollectionOf(CaptureEntry entry) =>
        entry.Protocol == CaptureProtocol.Udp ? Collection.UdpPorts : entry.Port == 0 ? Collection.TcpAddresses : Collection.TcpPorts;

    /// <summary>struct sockaddr_in of what the program connected to, before NAT.</summary>
    private static IPEndPoint OriginalDestination(Socket socket)
    {
        Span<byte> address = stackalloc byte[16];
        socket.GetRawSocketOption(Libc.SolIp, Libc.SoOriginalDestination, address);
        return new IPEndPoint(new IPAddress(address.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
    }
}
