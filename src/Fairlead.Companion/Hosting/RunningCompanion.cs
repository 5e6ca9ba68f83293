using System.Collections.Concurrent;
using System.Net.Sockets;
using Fairlead.Companion.Administration;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fairlead.Companion.Hosting;

/// <summary>Does what the daemon asks for on the control connection, and keeps that connection. Decides nothing by itself.</summary>
/// <param name="enrolment">Null: requests for certificates are refused.</param>
internal sealed partial class RunningCompanion(DaemonSocket daemon, ClusterClients clusters, IClusterEnrolment? enrolment, TimeProvider time, ILogger<RunningCompanion> logger)
{
    /// <summary>A daemon that is gone this long is not coming back soon; the command line starts a companion again when it does.</summary>
    internal static readonly TimeSpan LongestAbsence = TimeSpan.FromMinutes(10);

    /// <summary>Requests and carriers at a time: four carriers to each of two replicas of each of as many spaces as one may have, and some.</summary>
    private const int MaxWork = 256;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<long, Task> working = [];

    /// <summary>Ends when the daemon dismissed it or has been gone for <see cref="LongestAbsence"/>.</summary>
    /// <exception cref="FairleadException">The daemon speaks another protocol.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var seen = time.GetTimestamp();
        var pause = FirstPause;
        while (time.GetElapsedTime(seen) < LongestAbsence)
        {
            try
            {
                await using var control = await daemon.UpgradeAsync(CompanionApi.Control, CompanionApi.ControlProtocol, cancellationToken);
                LogConnected();
                pause = FirstPause;
                if (await ServeAsync(control, cancellationToken) is { } dismissal)
                {
                    LogDismissed(dismissal.Reason);
                    return;
                }

                seen = time.GetTimestamp();
            }
            catch (Exception e) when (e is HttpRequestException or IOException or SocketException or InvalidDataException)
            {
                LogNoDaemon(e.Message);
            }

            await Task.Delay(pause * (0.5 + (Random.Shared.NextDouble() / 2)), time, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }

        LogDaemonGone(LongestAbsence.TotalMinutes);
    }

    /// <returns>Null when the connection ended otherwise. Nothing of what it asked for is under way any more.</returns>
    private async Task<Dismissal?> ServeAsync(Stream control, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var writer = new SemaphoreSlim(1, 1);
        try
        {
            await foreach (var request in JsonLines.ReadAsync(control, CompanionJson.Default.CompanionRequest, CompanionApi.MaxLine, cancellationToken))
            {
                if (request.Dismiss is { } dismissal)
                {
                    return dismissal;
                }

                // Its place first: it may end, and take itself out, before it is put in.
                working[request.Id] = Task.CompletedTask;
                working.TryUpdate(request.Id, Task.Run(() => WorkAsync(request, control, writer, stop.Token), CancellationToken.None), Task.CompletedTask);
            }

            return null;
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(working.Values);
        }
    }

    private async Task WorkAsync(CompanionRequest request, Stream control, SemaphoreSlim writer, CancellationToken cancellationToken)
    {
        try
        {
            CompanionAnswer? answer;
            try
            {
                answer = await AnswerAsync(request, cancellationToken);
            }
            catch (KubernetesException e)
            {
                answer = Failed(ClusterErrors.Explain(e).Error);
            }
            catch (FairleadException e)
            {
                answer = Failed(e.Error);
            }

            if (answer is not null)
            {
                await writer.WaitAsync(cancellationToken);
                try
                {
                    await JsonLines.WriteAsync(control, answer, CompanionJson.Default.CompanionAnswer, cancellationToken);
                }
                finally
                {
                    writer.Release();
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException or SocketException)
        {
            // The daemon went away in the middle.
            LogGivenUp(request.Id, e.Message);
        }
        catch (Exception e)
        {
            LogDefect(request.Id, e);
        }
        finally
        {
            working.TryRemove(request.Id, out _);
        }

        CompanionAnswer Failed(ErrorInfo error)
        {
            LogRefused(request.Id, error.Message, error.Why);
            return new CompanionAnswer(request.Id, error);
        }
    }

    /// <returns>Null where a carrier connection was the answer.</returns>
    private async Task<CompanionAnswer?> AnswerAsync(CompanionRequest request, CancellationToken cancellationToken)
    {
        if (working.Count > MaxWork)
        {
            throw new FairleadException(ErrorCategory.Failed, "companion-busy", "The companion has too much to do", $"{working.Count} carriers are open");
        }

        switch (request)
        {
            case { Open: { } open }:
                await CarryAsync(request.Id, open, cancellationToken);
                return null;
            case { Enrol: { } enrol }:
                return new CompanionAnswer(request.Id, Enrolled: await EnrolAsync(enrol, cancellationToken));
            default:
                throw new FairleadException(ErrorCategory.Usage, "companion-version", "The companion does not know this request", "the daemon is probably of another version", "Compare 'fairlead version' with the daemon's ('fairlead status').");
        }
    }

    private async Task CarryAsync(long id, OpenCarrier wanted, CancellationToken cancellationToken)
    {
        var client = clusters.Of(wanted.Cluster);
        await using var pod = await PortForwardCarrier.OpenAsync(client, wanted, cancellationToken);
        await using var stream = await daemon.CarryAsync(new CarrierGreeting(id, client.Connection.Server.GetLeftPart(UriPartial.Authority)), cancellationToken);
        LogCarrier(id, wanted.Pod ?? "any pod", wanted.Port);
        if (await PortForwardCarrier.RelayAsync(stream, pod, cancellationToken) is { } reason)
        {
            LogCarrierBroke(id, reason);
        }
    }

    private async Task<ClusterEnrolled> EnrolAsync(ClusterEnrolment wanted, CancellationToken cancellationToken)
    {
        if (enrolment is null)
        {
            throw new FairleadException(ErrorCategory.Failed, "enrolment-unavailable", "This version can't join with a kubeconfig", hint: "Join with a token: 'fairlead join TOKEN'.");
        }

        var client = clusters.Of(wanted.Cluster);
        var (certificates, facts) = await enrolment.EnrolAsync(client, wanted.CertificateRequest, cancellationToken);
        return new ClusterEnrolled(certificates, facts, client.Connection.Context, client.Connection.Server.GetLeftPart(UriPartial.Authority));
    }

    [LoggerMessage(6001, LogLevel.Information, "Connected to the daemon")]
    private partial void LogConnected();

    [LoggerMessage(6002, LogLevel.Information, "The daemon needs no companion any more: {Reason}")]
    private partial void LogDismissed(string reason);

    [LoggerMessage(6003, LogLevel.Debug, "No daemon: {Reason}")]
    private partial void LogNoDaemon(string reason);

    [LoggerMessage(6004, LogLevel.Information, "The daemon has been gone for {Minutes} minutes")]
    private partial void LogDaemonGone(double minutes);

    [LoggerMessage(6005, LogLevel.Warning, "Request {Id} failed: {Message} ({Why})")]
    private partial void LogRefused(long id, string message, string? why);

    [LoggerMessage(6006, LogLevel.Debug, "Request {Id} was given up: {Reason}")]
    private partial void LogGivenUp(long id, string reason);

    [LoggerMessage(6007, LogLevel.Information, "Carrier {Id} to {Pod}, port {Port}, is open")]
    private partial void LogCarrier(long id, string pod, int port);

    [LoggerMessage(6008, LogLevel.Information, "Carrier {Id} broke: {Reason}")]
    private partial void LogCarrierBroke(long id, string reason);

    [LoggerMessage(6009, LogLevel.Error, "Request {Id} failed by a defect")]
    private partial void LogDefect(long id, Exception exception);
}
