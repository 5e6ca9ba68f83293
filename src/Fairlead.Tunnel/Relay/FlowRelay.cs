using System.Net.Sockets;

namespace Fairlead.Tunnel.Relay;

/// <summary>Why a relay ended; the first reason wins.</summary>
public enum RelayEnd
{
    /// <summary>Both directions completed: every byte was handed on.</summary>
    Completed,

    /// <summary>The local socket was reset or failed; the flow was aborted.</summary>
    SocketReset,

    /// <summary>The flow was reset by its other end, or its carrier broke; the socket was reset.</summary>
    FlowReset,

    /// <summary>The caller cancelled; both were reset.</summary>
    Cancelled,
}

/// <param name="Failure"><see cref="FlowFailure.None"/> when completed.</param>
/// <param name="Message">For a log.</param>
public sealed record RelayEnding(RelayEnd Reason, FlowFailure Failure, long BytesFromSocket, long BytesToSocket, string Message);

/// <summary>Moves bytes between a flow and a connected TCP socket, both ways, with half-close and reset both ways.</summary>
public static class FlowRelay
{
    /// <summary>Runs until both directions completed or either side failed; disposes both the flow and the socket. Never throws for what a peer did.</summary>
    public static Task<RelayEnding> RunAsync(IFlow flow, Socket socket, FlowCounters counters, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
