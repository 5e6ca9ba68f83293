using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Tunnel.Exit;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Direct;

/// <summary>The data port's TLS with whoever connects: bounded, in turns, and judged once it is known who it is.</summary>
internal sealed partial class Handshakes(DirectCarrierServerOptions options, ILogger logger, TimeProvider time) : IDisposable
{
    /// <summary>After a denial: how long the client may take to read it.</summary>
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(1);

    /// <summary>What laptops speak, the best first.</summary>
    private static readonly SslApplicationProtocol[] OfLaptops = [DirectDialer.WithDatagrams, DirectDialer.Protocol, MuxConnection.Protocol];

    private readonly StrangerLimit _silent = new(options.MaxSilent, time);
    private readonly StrangerLimit _begun = new(options.MaxHandshakes, time);
    private readonly HandshakeTurns _turns = HandshakeTurns.OfHalfTheProcessors();

    /// <param name="socket">Below <paramref name="records"/>; null where it is none of ours: then only flows that share the connection are served.</param>
    /// <param name="draining">Asked once it is known who it is.</param>
    /// <returns>Null where nobody is to be served: it was told why, if it listens.</returns>
    public async Task<Greeted?> GreetAsync(RecordStream records, Socket? socket, EndPoint? remote, Func<bool> draining, CancellationToken cancellationToken)
    {
        var started = TunnelMetrics.Now;
        SslStream? tls = null;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(options.HandshakeTimeout);
        StrangerLimit.Place? place = null;
        try
        {
            if (!await IsHeardAsync(records, remote, deadline) || !_begun.TryEnter(remote, () => Cancel(deadline), out place))
            {
                throw new IOException("There are too many handshakes at the same time.");
            }

            records.BeginTurns(_turns);
            tls = new SslStream(records);
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ServerCertificateContext = options.Certificate(),
                    ClientCertificateRequired = true,
                    ApplicationProtocols = socket is null ? [MuxConnection.Protocol] : [.. options.ServeExit is null ? [] : new[] { ExitProtocol.Alpn }, .. OfLaptops],
                    CertificateChainPolicy = TunnelTls.UnjudgedPolicy(),
                    // Only that there is one: who it is, is judged below, where a denial can be told to the client.
                    RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
                },
                deadline.Token);
            TunnelMetrics.Handshake(started, client: false, failed: false);
            if (tls.NegotiatedApplicationProtocol == ExitProtocol.Alpn)
            {
                return new Greeted(tls, null, Shared: false);
            }

            var shared = socket is null || tls.NegotiatedApplicationProtocol == MuxConnection.Protocol;
            var (peer, refusal) = Judge(tls, draining());
            records.EndTurns();
            if (refusal is null)
            {
                return new Greeted(tls, peer, shared);
            }

            LogDenied(remote, refusal.Message);
            await FarewellAsync(tls, socket, shared
                ? MuxFrames.Outcome(MuxFrameType.Abort, 0, refusal.Failure, refusal.Message)
                : FrameCodec.Outcome(FrameType.Abort, refusal.Failure, refusal.Message));
            return null;
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            TunnelMetrics.Handshake(started, client: false, failed: true);
            LogFailed(logger, remote, e.Message);
            tls?.Dispose();
            if (socket is not null)
            {
                DirectConnection.Reset(socket);
            }

            return null;
        }
        finally
        {
            place?.Dispose();
            records.EndTurns();
        }
    }

    /// <summary>Once nobody is being greeted any more.</summary>
    public void Dispose() => _turns.Dispose();

    /// <summary>Until the first bytes: a connection on which nothing was said has cost next to nothing, so that there may be many.</summary>
    /// <returns>False when there is no place for it.</returns>
    private async Task<bool> IsHeardAsync(RecordStream records, EndPoint? remote, CancellationTokenSource deadline)
    {
        if (!_silent.TryEnter(remote, () => Cancel(deadline), out var place))
        {
            return false;
        }

        using (place)
        {
            _ = await records.ReadAsync(Memory<byte>.Empty, deadline.Token);
            return true;
        }
    }

    private static void Cancel(CancellationTokenSource handshake)
    {
        try
        {
            handshake.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself in this moment.
        }
    }

    private (PeerIdentity? Peer, FlowRefusal? Refusal) Judge(SslStream tls, bool draining)
    {
        if (draining)
        {
            return (null, new FlowRefusal(FlowFailure.Draining, "This gateway is going away."));
        }

        if (!OfLaptops.Contains(tls.NegotiatedApplicationProtocol))
        {
            return (null, new FlowRefusal(FlowFailure.ProtocolError, $"This gateway speaks {string.Join(", ", OfLaptops)}."));
        }

        var peer = tls.RemoteCertificate is X509Certificate2 certificate ? options.Identify(certificate) : null;
        return peer is null ? (null, new FlowRefusal(FlowFailure.Denied, "The certificate is not valid here, has expired, or was revoked.")) : (peer, null);
    }

    /// <summary>Says why, and gives the client time to read it: a reset at once might overtake it.</summary>
    private static async Task FarewellAsync(SslStream tls, Socket? socket, byte[] frame)
    {
        using var patience = new CancellationTokenSource(FarewellTimeout);
        try
        {
            await tls.WriteAsync(frame, patience.Token);
            socket?.Shutdown(SocketShutdown.Send);
            var scrap = new byte[1024];
            while (await tls.ReadAsync(scrap, patience.Token) > 0)
            {
            }
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            // It doesn't listen; it will see the connection end.
        }
        finally
        {
            await tls.DisposeAsync();
        }
    }

    [LoggerMessage(EventId = 202, Level = LogLevel.Debug, Message = "No TLS with {Remote}: {Why}")]
    internal static partial void LogFailed(ILogger logger, EndPoint? remote, string why);

    [LoggerMessage(EventId = 201, Level = LogLevel.Information, Message = "Denied {Remote}: {Why}")]
    private partial void LogDenied(EndPoint? remote, string why);

    /// <summary>A connection that may be served.</summary>
    /// <param name="Laptop">Null for an agent's, whose certificate is still to be judged.</param>
    /// <param name="Shared">By many flows.</param>
    internal sealed record Greeted(SslStream Tls, PeerIdentity? Laptop, bool Shared);
}
