using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>
/// Stores a space's catalog some time after it changed, so that names and listeners are there at once when the daemon starts again, also while the
/// gateway is away.
/// </summary>
internal sealed partial class CatalogKeeper(Space space, SpaceStore store, TimeProvider time, ILogger<CatalogKeeper> logger)
{
    /// <summary>A busy cluster changes all the time, and a large catalog has megabytes: it is written no more often than this.</summary>
    internal static readonly TimeSpan Delay = TimeSpan.FromSeconds(5);

    private long kept = space.Catalog.Version;

    /// <summary>Ends by cancellation only, without an exception; what is new is stored then.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var seen = space.Changed.Version;
                if (space.Catalog.Version == kept)
                {
                    await space.Changed.WaitAsync(seen, cancellationToken);
                }
                else
                {
                    await Task.Delay(Delay, time, cancellationToken);
                    Keep();
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Keep();
        }
    }

    private void Keep()
    {
        var version = space.Catalog.Version;
        if (version == kept || space.Catalog.Snapshot is not { } services)
        {
            return;
        }

        // Also after a failure: the next change is soon enough to try again.
        kept = version;
        try
        {
            store.SaveCatalog(space.Record, services);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotKept(space.Record.Name, e.Message);
        }
    }

    [LoggerMessage(3501, LogLevel.Warning, "The catalog of space {Space} can't be stored; after a restart its names return only once the gateway answers: {Reason}")]
    private partial void LogNotKept(string space, string reason);
}
