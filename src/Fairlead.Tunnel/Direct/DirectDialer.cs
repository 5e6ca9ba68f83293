using System.Net.Security;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Direct;

/// <summary>Makes authenticated connections to one data port.</summary>
internal sealed class DirectDialer(string host, int port, TunnelTls tls, GatewayDialer dialer, TimeSpan timeout)
{
    /// <summary>The frames of docs/adr/0001, version 1; a gateway that speaks only others ends the handshake (RFC 7301).</summary>
    public static readonly SslApplicationProtocol Protocol = new("fairlead-flow/1");

    /// <summary>The same, and flows may be of datagrams (<see cref="DirectDatagramFlow"/>). Agreed on for each connection: replicas of one gateway may differ during an update.</summary>
    public static readonly SslApplicationProtocol WithDatagrams = new("fairlead-flow/2");

    public string Where { get; } = $"{(host.Contains(':') ? $"[{host}]" : host)}:{port}";

    public TunnelTls Tls => tls;

    /// <exception cref="CarrierException">No connection could be had.</exception>
    public async Task<DirectConnection> DialAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        RecordStream? records = null;
        SslStream? stream = null;
        var started = TunnelMetrics.Now;
        try
        {
            var socket = await dialer.ConnectAsync(host, port, deadline.Token);
            records = new RecordStream(socket);
            stream = new SslStream(records);
            var own = tls.Certificate;
            await stream.AuthenticateAsClientAsync(tls.ClientOptions(own, WithDatagrams, Protocol), deadline.Token);
            TunnelMetrics.Handshake(started, client: true, failed: false);
            return new DirectConnection(stream, records, socket, client: true)
            {
                LocalCertificate = own,
                Replica = Link.ReplicaName.Of(stream.RemoteCertificate),
                CarriesDatagrams = stream.NegotiatedApplicationProtocol == WithDatagrams,
            };
        }
        catch (Exception e)
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }

            records?.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            TunnelMetrics.Handshake(started, client: true, failed: true);
            throw LinkProblems.Of(e, Where);
        }
    }
}
