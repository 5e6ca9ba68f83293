using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>
/// Renews a space's certificate when the gateway said to (at two thirds of its life, by its clock), with a new key each time: by the certificate before, also
/// when that has run out while the machine was off (docs/adr/0008), or where the space was joined by kubeconfig, by a new request through the owner's companion.
/// </summary>
internal sealed partial class CertificateRenewal(Space space, ICompanions companions, TimeProvider time, ILogger<CertificateRenewal> logger)
{
    /// <summary>Spread over this share of what is left of the certificate's life after <see cref="SpaceRecord.RenewAfter"/>.</summary>
    private const double JitterShare = 0.1;

    /// <summary>Whatever the gateway says, not more often.</summary>
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(10);

    /// <summary>Timers stand still while the machine sleeps, so the clock is looked at again at least this often.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    /// <summary>Timers drop what is less: waiting for that would be no wait, again and again.</summary>
    private static readonly TimeSpan TimerResolution = TimeSpan.FromMilliseconds(1);

    public ErrorInfo? Problem { get; private set; }

    /// <summary>Ends by cancellation only, without an exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var retry = FirstRetry;
        try
        {
            var due = NextDue();
            while (true)
            {
                var left = due - space.Clock.Now;
                if (left >= TimerResolution)
                {
                    if (await PauseAsync(left < LongestWait ? left : LongestWait, cancellationToken))
                    {
                        due = space.Clock.Now;
                    }

                    continue;
                }

                if (await TryRenewAsync(cancellationToken))
                {
                    retry = FirstRetry;
                    var soonest = space.Clock.Now + ShortestInterval;
                    due = NextDue() is var next && next > soonest ? next : soonest;
                }
                else
                {
                    due = space.Clock.Now + (retry * (0.75 + (Random.Shared.NextDouble() / 2)));
                    retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
    }

    /// <returns>True when what the last attempt lacked, a companion, has come.</returns>
    private async Task<bool> PauseAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        var delay = Task.Delay(pause, time, cancellationToken);
        if (Problem is null || space.Record.Cluster is null || companions.PidOf(space.Record.Owner) is not null)
        {
            await delay;
            return false;
        }

        var seen = companions.Changed.Version;
        await await Task.WhenAny(delay, companions.Changed.WaitAsync(seen, cancellationToken));
        return companions.PidOf(space.Record.Owner) is not null;
    }

    private DateTimeOffset NextDue()
    {
        var spread = space.CertificateExpires - space.Record.RenewAfter;
        return space.Record.RenewAfter + (spread > TimeSpan.Zero ? spread * JitterShare * Random.Shared.NextDouble() : TimeSpan.Zero);
    }

    private async Task<bool> TryRenewAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RenewAsync(cancellationToken);
            SetProblem(null);
            return true;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFailed(space.Record.Name, e.Message);
            SetProblem(Explain(e));
            return false;
        }
    }

    private bool HasExpired => space.CertificateExpires <= space.Clock.Now;

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        if (space.Record.Cluster is { } cluster)
        {
            await RenewByKubeconfigAsync(cluster, cancellationToken);
        }
        else if (HasExpired && space.Link.Status.State != LinkState.Connected)
        {
            // The gateway takes it for this one request, on a connection of its own; the link is refused until then.
            using var gateway = space.CreateRenewalClient();
            space.SetCertificate(await Enrolment.RenewAsync(gateway, space.Authority, cancellationToken));
        }
        else
        {
            await space.Link.WaitUntilConnectedAsync(cancellationToken);
            space.SetCertificate(await Enrolment.RenewAsync(space.Link.Api, space.Authority, cancellationToken));
        }

        LogRenewed(space.Record.Name, space.CertificateExpires);
    }

    /// <exception cref="FairleadException">It has run out and could not be renewed.</exception>
    public async Task RenewIfExpiredAsync(CancellationToken cancellationToken)
    {
        if (!HasExpired)
        {
            return;
        }

        try
        {
            await RenewAsync(cancellationToken);
        }
        catch (FairleadException e) when (e.Error.Category == ErrorCategory.Denied)
        {
            throw new FairleadException(Explain(e), e);
        }
    }

    private ErrorInfo Explain(Exception e)
    {
        var expires = space.CertificateExpires;
        return HasExpired
            ? new ErrorInfo(ErrorCategory.Denied, "certificate-expired", $"The certificate for space {space.Record.Name} has expired", $"it was valid until {expires:u} and could not be renewed: {Reason(e)}", space.Record.Cluster is null ? "Ask whoever invited you for a new token, then 'fairlead join'." : Hint(e))
            : new ErrorInfo(ErrorCategory.Failed, "certificate-renewal", $"The certificate for space {space.Record.Name} could not be renewed yet", Reason(e), $"It is tried again and is valid until {expires:u}. {Hint(e)}".TrimEnd());
    }

    /// <exception cref="FairleadException">As <see cref="KubeconfigEnrolment.EnrolAsync"/>, or the gateway is of another space.</exception>
    public async Task RenewByKubeconfigAsync(ClusterAccess cluster, CancellationToken cancellationToken)
    {
        var renewed = await KubeconfigEnrolment.EnrolAsync(companions, space.Record.Owner, cluster, time, cancellationToken);
        using var authority = X509Certificate2.CreateFromPem(renewed.Enrolled.Response.Authority);
        if (!authority.RawDataMemory.Span.SequenceEqual(space.Authority.RawDataMemory.Span))
        {
            throw new FairleadException(ErrorCategory.Denied, "gateway-forged", "The cluster's gateway is of another space now", "its certificate authority is another one", "Join again: 'fairlead join --kubeconfig FILE'.");
        }

        space.SetCertificate(renewed);
    }

    private static string Reason(Exception e) => e is FairleadException { Error: { Why: { } why } error } ? $"{error.Message}: {why}" : e.Message;

    private static string? Hint(Exception e) => (e as FairleadException)?.Error.Hint;

    private void SetProblem(ErrorInfo? problem)
    {
        Problem = problem;
        space.Changed.Pulse();
    }

    [LoggerMessage(3201, LogLevel.Information, "The certificate for space {Space} was renewed and is valid until {NotAfter:u}")]
    private partial void LogRenewed(string space, DateTimeOffset notAfter);

    [LoggerMessage(3202, LogLevel.Warning, "The certificate for space {Space} could not be renewed: {Reason}")]
    private partial void LogFailed(string space, string reason);
}
