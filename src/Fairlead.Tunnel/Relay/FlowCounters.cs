namespace Fairlead.Tunnel.Relay;

/// <summary>Counts of one owner of flows (a space, a gateway); thread-safe.</summary>
public sealed class FlowCounters
{
    private long _open;
    private long _fromSocket;
    private long _toSocket;

    public long Open => Volatile.Read(ref _open);

    /// <summary>Bytes read from sockets and written into flows.</summary>
    public long BytesFromSocket => Volatile.Read(ref _fromSocket);

    /// <summary>Bytes read from flows and written to sockets.</summary>
    public long BytesToSocket => Volatile.Read(ref _toSocket);

    internal void Opened() => Interlocked.Increment(ref _open);

    internal void Closed() => Interlocked.Decrement(ref _open);

    internal void FromSocket(int bytes) => Interlocked.Add(ref _fromSocket, bytes);

    internal void ToSocket(int bytes) => Interlocked.Add(ref _toSocket, bytes);
}
