using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Server;

public sealed record DnsServerOptions
{
    /// <summary>Datagrams whose answers are waited for at one time; those above it get SERVFAIL at once, so that slow ones never hold up what can be answered.</summary>
    public int MaxConcurrentDatagrams { get; init; } = 512;

    /// <summary>More wait in the listener's backlog.</summary>
    public int MaxConnections { get; init; } = 128;

    /// <summary>A connection without a whole query for so long is closed (RFC 7766 §6.2.3), and one that doesn't take its answer.</summary>
    public TimeSpan ConnectionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Just under the 5 s after which stub resolvers ask again.</summary>
    public TimeSpan HandlerTimeout { get; init; } = TimeSpan.FromSeconds(4.5);

    /// <summary>The largest UDP answer, octets, whatever the client says that it takes.</summary>
    public int MaxDatagram { get; init; } = DnsEdns.DefaultPayload;

    /// <summary>How datagrams are received: a host may know a quicker way than a system call for each.</summary>
    public DatagramLoop Datagrams { get; init; } = SingleDatagrams.RunAsync;

    /// <summary>What a handler threw, or what broke a listener for a moment: for the log.</summary>
    public Action<Exception>? OnFault { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
