using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>Greets the gateway and keeps a space's catalog in step with it, resuming where it was, for as long as the space is joined.</summary>
internal sealed partial class CatalogFollower(Space space, TimeProvider time, ILogger<CatalogFollower> logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(10);

    private TimeSpan delay = FirstDelay;
    private readonly Lock gate = new();
    private bool addresses;
    private Func<Task>? beginAnew;

    /// <summary>Why the catalog isn't followed at the moment, though there is a link.</summary>
    public ErrorInfo? Problem { get; private set; }

    /// <summary>Whether the gateway is asked for the services' addresses, too; a change has the catalog told anew.</summary>
    public void AskForAddresses(bool wanted)
    {
        lock (gate)
        {
            if (addresses != wanted)
            {
                addresses = wanted;
                _ = beginAnew?.Invoke();
            }
        }
    }

    /// <summary>Ends by cancellation only, without an exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (await WaitForLinkAsync(cancellationToken))
                {
                    await GreetAsync(cancellationToken);
                    while (await FollowAsync(cancellationToken))
                    {
                        space.Catalog.Interrupt();
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (FairleadException e)
            {
                SetProblem(e.Error);
            }
            catch (InvalidDataException e)
            {
                space.Catalog.ForgetPosition();
                SetProblem(new ErrorInfo(ErrorCategory.Failed, "catalog-invalid", "The gateway's catalog makes no sense", e.Message, "Compare 'fairlead version' with the gateway's version."));
            }
            catch (Exception e) when (e is IOException or HttpRequestException or TimeoutException or OperationCanceledException)
            {
                LogBroken(space.Record.Name, e.Message);
            }
            catch (Exception e)
            {
                // A defect, but of this space only: the others go on.
                LogFailed(space.Record.Name, e);
            }

            space.Catalog.Interrupt();
            await PauseAsync(cancellationToken);
        }
    }

    /// <returns>False when the gateway refused us and something changed since: try again.</returns>
    private async Task<bool> WaitForLinkAsync(CancellationToken cancellationToken)
    {
        var seen = space.Changed.Version;
        try
        {
            await space.Link.WaitUntilConnectedAsync(cancellationToken);
            return true;
        }
        catch (FairleadException)
        {
            // The link's own status says why; a new certificate, or the person, changes it.
            await space.Changed.WaitAsync(seen, cancellationToken);
            return false;
        }
    }

    private async Task GreetAsync(CancellationToken cancellationToken)
    {
        var hello = await GatewayClient.PostAsync(
            space.Link.Api,
            GatewayApi.Hello,
            new HelloRequest([.. Enumerable.Range(GatewayApi.OldestProtocolVersion, GatewayApi.ProtocolVersion - GatewayApi.OldestProtocolVersion + 1)], ProductVersion.Text, []),
            GatewayJson.Default.HelloRequest,
            GatewayJson.Default.HelloResponse,
            cancellationToken);
        if (hello.ProtocolVersion is < GatewayApi.OldestProtocolVersion or > GatewayApi.ProtocolVersion)
        {
            throw new FairleadException(ErrorCategory.Failed, "gateway-version", "The gateway speaks another protocol",
                $"it chose version {hello.ProtocolVersion} (product {hello.ProductVersion}), this is version {GatewayApi.ProtocolVersion} (product {ProductVersion.Text})",
                "Use the version of 'fairlead' that your admin installed in the cluster.");
        }

        await space.Clock.MeasureAsync(space.Link.Api, cancellationToken);
        space.SetHello(hello);
    }

    /// <returns>Whether it is to be asked for again at once, because something else is wanted of it now.</returns>
    private async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bool wanted;
        lock (gate)
        {
            wanted = addresses;
            beginAnew = stop.CancelAsync;
        }

        try
        {
            await FollowAsync(wanted, stop.Token);
            return false;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return true;
        }
        finally
        {
            lock (gate)
            {
                beginAnew = null;
            }
        }
    }

    private async Task FollowAsync(bool wantAddresses, CancellationToken cancellationToken)
    {
        using var response = await GatewayClient.WatchCatalogAsync(space.Link.Api, space.Catalog.Position, wantAddresses, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        SetProblem(null);
        await foreach (var change in CatalogReader.ReadAsync(stream, time, cancellationToken))
        {
            delay = FirstDelay;
            if (space.Clock.HasJumped)
            {
                await space.Clock.MeasureAsync(space.Link.Api, cancellationToken);
                space.Changed.Pulse();
            }

            if (space.Catalog.Apply(change))
            {
                space.Changed.Pulse();
            }

            if (change.Settings is { } settings)
            {
                space.SetGatewaySettings(settings);
            }

            switch (change.Type)
            {
                case CatalogEventType.Draining:
                    return;
                case CatalogEventType.Gateway:
                    await GreetAsync(cancellationToken);
                    break;
            }
        }
    }

    private void SetProblem(ErrorInfo? problem)
    {
        if (problem == Problem)
        {
            return;
        }

        Problem = problem;
        if (problem is not null)
        {
            LogProblem(space.Record.Name, problem.Message, problem.Why);
        }

        space.Changed.Pulse();
    }

    private async Task PauseAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Half of it at random, so that laptops do not come back to a restarted gateway all at once.
            await Task.Delay(delay * (0.5 + (Random.Shared.NextDouble() / 2)), time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
    }

    [LoggerMessage(3101, LogLevel.Information, "The catalog of space {Space} broke off and is resumed: {Reason}")]
    private partial void LogBroken(string space, string reason);

    [LoggerMessage(3103, LogLevel.Error, "Following the catalog of space {Space} failed")]
    private partial void LogFailed(string space, Exception exception);

    [LoggerMessage(3102, LogLevel.Warning, "The catalog of space {Space} can't be followed: {Message} ({Why})")]
    private partial void LogProblem(string space, string message, string? why);
}
