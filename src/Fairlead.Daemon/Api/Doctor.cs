using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Connect;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;

namespace Fairlead.Daemon.Api;

/// <summary>Checks this host, the caller's spaces and the way between, and says what to do.</summary>
internal sealed class Doctor(CaptureStatus capture, HostsResolver hosts, NameServer names, ConsumePipeline pipeline, TcpFlows tcp, DatagramFlows datagrams, ReachCheck reach, NetworkExamination network, TimeProvider time)
{
    /// <summary>A gateway that does not answer within it counts as unreachable.</summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    public async Task<DoctorReport> ExamineAsync(Caller caller, CancellationToken cancellationToken)
    {
        List<DoctorCheck> checks = [CheckCapture(), names.Status is { IsRunning: true } running ? CheckNames(running) : await CheckHostsAsync(cancellationToken), CheckFlows()];
        var mine = caller.Visible.ToList();
        if (mine.Count == 0)
        {
            checks.Add(new DoctorCheck("space", CheckResult.Warning, "You have not joined a space.", "fairlead join TOKEN"));
        }

        foreach (var space in mine)
        {
            checks.Add(CheckLink(space));
            checks.Add(CheckCertificate(space));
            checks.Add(await CheckClockAsync(space, cancellationToken));
            checks.Add(CheckConsumed(space));
            checks.AddRange(await reach.ExamineAsync(space, cancellationToken));
        }

        checks.AddRange(await network.ExamineAsync(mine, cancellationToken));
        return new DoctorReport(checks);
    }

    private DoctorCheck CheckCapture() => capture.Reason is null
        ? new DoctorCheck("capture", CheckResult.Ok, $"Flows are captured by {capture.Method}.", null)
        : new DoctorCheck("capture", CheckResult.Warning, $"Flows are captured by {capture.Method}, because: {capture.Reason.TrimEnd('.')}.", "A kernel from 5.9 on that allows BPF lets local programs keep every port (option capture).");

    private DoctorCheck CheckFlows()
    {
        var counts = $"{tcp.Open} TCP flows and {datagrams.Open} UDP associations are open; since the start {tcp.Refused} flows could not be opened and {datagrams.Dropped} datagrams were dropped";
        return tcp.Overloaded == 0
            ? new DoctorCheck("flows", CheckResult.Ok, counts + ".", null)
            : new DoctorCheck("flows", CheckResult.Warning, $"{counts}; {tcp.Overloaded} connections were reset because {TcpFlows.MaxFlows} were open.", "Some program opens connections and never closes them: 'ss -tnp' names it.");
    }

    private DoctorCheck CheckNames(NameServerStatus status)
    {
        const string Subject = "names";
        if ((status.Problem ?? pipeline.Snapshot.Problem) is { } problem)
        {
            return new DoctorCheck(Subject, CheckResult.Failed, Describe(problem), problem.Hint);
        }

        var servers = status.Resolver is { Servers.Count: > 0 } resolver ? string.Join(", ", resolver.Servers) : null;
        var owner = $"{status.Names} names are answered on {status.EndPoint}; without Fairlead, names are a matter of {status.Resolver?.Description ?? "nobody"}";
        return servers is null ? new DoctorCheck(Subject, CheckResult.Warning, owner + ", which names no server: names outside the cluster don't resolve.", "Let the network configuration name a DNS server.")
            : status.Loops > 0 ? new DoctorCheck(Subject, CheckResult.Warning, $"{owner}, and its servers ({servers}) asked us {status.Loops} times what we had asked them.", $"One of them takes {status.EndPoint.Address} from resolv.conf as its own server: tell it another (dnsmasq: no-resolv and server=).")
            : new DoctorCheck(Subject, CheckResult.Ok, $"{owner}; {servers} is asked for all other names, {status.Cached} answers are kept.", null);
    }

    private static string Describe(ErrorInfo problem) => problem.Why is null ? problem.Message + "." : $"{problem.Message}: {problem.Why}.";

    private async Task<DoctorCheck> CheckHostsAsync(CancellationToken cancellationToken)
    {
        const string Subject = "hosts file";
        if (hosts.GivenUp is { } fight)
        {
            return new DoctorCheck(Subject, CheckResult.Failed, fight + ".", $"Find the program that rewrites {hosts.Path}.");
        }

        if (pipeline.Snapshot.Problem is { } problem)
        {
            return new DoctorCheck(Subject, CheckResult.Failed, problem.Why is null ? problem.Message : $"{problem.Message}: {problem.Why}", problem.Hint);
        }

        try
        {
            var published = await hosts.CountPublishedAsync(cancellationToken);
            return new DoctorCheck(Subject, CheckResult.Ok, $"{hosts.Path} is readable and holds {published} of our lines.", null);
        }
        catch (HostException e)
        {
            return new DoctorCheck(Subject, CheckResult.Failed, $"{hosts.Path} can't be read: {e.Message}", e.Hint ?? "Names resolve only through it.");
        }
    }

    private static DoctorCheck CheckLink(Space space)
    {
        var subject = $"link to {space.Record.Name}";
        var status = space.Describe(inUse: false, consumed: 0);
        return status.Link switch
        {
            LinkState.Connected when status.Problem is null or { Code: "clock-skew" } => new DoctorCheck(
                subject,
                status.Warning is null ? CheckResult.Ok : CheckResult.Warning,
                $"Connected to {status.Gateway} by {status.Carrier}{(status.RoundTripMilliseconds is { } ms ? $", round trip {ms:0.0} ms" : "")}{(status.Warning is { } warning ? $"; {warning}" : "")}.",
                status.Warning is null ? null : "Use the same version on both sides when you can."),
            LinkState.Connecting => new DoctorCheck(subject, CheckResult.Warning, $"Connecting to {string.Join(", ", space.Record.Endpoints.Select(e => $"{e.Host}:{e.ApiPort}"))}{Explain(status.Problem)}.", status.Problem?.Hint ?? "Wait a moment."),
            _ => new DoctorCheck(subject, CheckResult.Failed, $"Not connected{Explain(status.Problem)}.", status.Problem?.Hint ?? "Check the network to the gateway."),
        };
    }

    private static DoctorCheck CheckCertificate(Space space)
    {
        var subject = $"certificate for {space.Record.Name}";
        var expires = space.CertificateExpires;
        return expires <= space.Clock.Now
            ? new DoctorCheck(subject, CheckResult.Failed, $"It expired at {expires:u}.", "Ask whoever invited you for a new token, then 'fairlead join'.")
            : new DoctorCheck(subject, CheckResult.Ok, $"{space.Record.Subject}, valid until {expires:u}, renewed after {space.Record.RenewAfter.ToUniversalTime():u}.", null);
    }

    private async Task<DoctorCheck> CheckClockAsync(Space space, CancellationToken cancellationToken)
    {
        var subject = $"clock against {space.Record.Name}";
        using var bounded = new CancellationTokenSource(AnswerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bounded.Token, cancellationToken);
        try
        {
            var ahead = await Enrolment.MeasureClockAsync(space.Link.Api, time, either.Token);
            return ahead is null
                ? new DoctorCheck(subject, CheckResult.Warning, "The gateway did not say what time it is.", null)
                : ahead.Value.Duration() > Enrolment.MaxClockSkew
                    ? new DoctorCheck(subject, CheckResult.Failed, $"This machine's clock is {Enrolment.Describe(ahead.Value)} the gateway's.", "timedatectl set-ntp true")
                    : new DoctorCheck(subject, CheckResult.Ok, "The clocks agree.", null);
        }
        catch (FairleadException e)
        {
            return new DoctorCheck(subject, CheckResult.Warning, $"It can't be compared: {e.Message}{(e.Error.Why is { } why ? $" ({why})" : "")}.", e.Error.Hint);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new DoctorCheck(subject, CheckResult.Warning, $"It can't be compared: the gateway did not answer within {AnswerTimeout.TotalSeconds:0} s.", null);
        }
    }

    private DoctorCheck CheckConsumed(Space space)
    {
        var subject = $"services of {space.Record.Name}";
        var services = pipeline.Snapshot.Describe(space.Key)?.Services ?? [];
        var broken = services.Where(service => service.Problem is not null).ToList();
        return broken.Count == 0
            ? new DoctorCheck(subject, CheckResult.Ok, $"{pipeline.Snapshot.Count(space.Key)} of {space.Catalog.Count} are consumed.", services.Count == 0 ? "fairlead consume 'NAMESPACE/*'" : null)
            : new DoctorCheck(subject, CheckResult.Failed, $"{broken.Count} can't be reached on some port, such as {broken[0].Namespace}/{broken[0].Name}: {broken[0].Problem}.", "fairlead consume list");
    }

    private static string Explain(ErrorInfo? problem) => problem is null ? "" : $": {problem.Message}{(problem.Why is null ? "" : $" ({problem.Why})")}";
}
