using System.Collections.Immutable;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>
/// Keeps all objects of a kind in memory, in step with the server: one list, then watches that resume where the last one ended. A cut
/// connection, a version that is too old (410), garbage or a busy server cost a pause (jittered, up to 30 s) and then a resume or a
/// new list that is compared with what is known, so that <see cref="OnChange"/> tells every difference once and in order.
/// </summary>
/// <remarks>Set the callbacks (<c>+=</c> adds one) before <see cref="RunAsync"/>, whose caller owns and awaits it.</remarks>
public sealed class Informer<T>(
    KubernetesClient client, ResourceType<T> type, string? ns = null, string? labelSelector = null, string? fieldSelector = null)
    where T : KubeObject
{
    /// <summary>A watch that lived this long was a good one, even if nothing happened.</summary>
    private static readonly TimeSpan GoodWatch = TimeSpan.FromSeconds(5);

    private readonly InformerStore<T> _store = new();
    private readonly Backoff _backoff = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _listNext;
    private int _started;

    /// <summary>
    /// Each change, after <see cref="Snapshot"/> holds it, one at a time in the loop of <see cref="RunAsync"/>: be quick. What a handler
    /// throws ends <see cref="RunAsync"/> with it.
    /// </summary>
    public Action<InformerEvent<T>>? OnChange { get; set; }

    /// <summary>The connection failed and will be tried again: for logs and health. Called in the same loop.</summary>
    public Action<InformerFailure>? OnFailure { get; set; }

    /// <summary>What is known now: by namespace (empty for cluster-scoped kinds) and name. Its objects are shared; don't change them.</summary>
    public ImmutableDictionary<(string Namespace, string Name), T> Snapshot => _store.Objects;

    /// <summary>Whether the first list is in.</summary>
    public bool IsSynced => _synced.Task.IsCompletedSuccessfully;

    /// <summary>Completes once the first list is in <see cref="Snapshot"/> and told; fails if <see cref="RunAsync"/> ends before that.</summary>
    public Task WaitForSyncAsync(CancellationToken cancellationToken = default) => _synced.Task.WaitAsync(cancellationToken);

    /// <summary>Runs until cancelled (it then returns) or until a handler throws. Once per informer.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _started, 1) != 0)
        {
            throw new InvalidOperationException("an informer runs once");
        }

        try
        {
            while (true)
            {
                await FollowAsync(cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _synced.TrySetCanceled(cancellationToken);
        }
        catch (Exception e)
        {
            _synced.TrySetException(e);
            _ = _synced.Task.Exception; // it is thrown from here; nobody needs to wait for the sync
            throw;
        }
    }

    /// <summary>Lists if need be, then watches once, then pauses unless that watch was a good one.</summary>
    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        var began = client.Time.GetTimestamp();
        var failure = await TryListAsync(cancellationToken);
        var progressed = false;
        if (failure is null)
        {
            (failure, progressed) = await WatchAsync(cancellationToken);
        }

        var good = client.Time.GetElapsedTime(began) >= GoodWatch;
        if (progressed || good)
        {
            _backoff.Reset();
        }

        if (failure is null && good)
        {
            return; // the server ended it because its time was up
        }

        var pause = _backoff.Next();
        if (failure is not null)
        {
            OnFailure?.Invoke(new InformerFailure(failure, pause));
        }

        await Task.Delay(pause, client.Time, cancellationToken);
    }

    private async Task<Exception?> TryListAsync(CancellationToken cancellationToken)
    {
        if (_store.Position is not null && !_listNext)
        {
            return null;
        }

        ResourceList<T> list;
        try
        {
            list = await client.ListAsync(type, ns, labelSelector, fieldSelector, cancellationToken);
        }
        catch (Exception e) when (e is KubernetesException or KubeConfigException)
        {
            return e;
        }

        Tell(_store.Replace(list));
        _listNext = false;
        _synced.TrySetResult();
        return null;
    }

    private async Task<(Exception? Failure, bool Progressed)> WatchAsync(CancellationToken cancellationToken)
    {
        var progressed = false;
        await using var events = client.WatchAsync(type, ns, _store.Position!, labelSelector, fieldSelector, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await events.MoveNextAsync())
                {
                    return (null, progressed);
                }
            }
            catch (KubernetesException e)
            {
                // Where the server answered, and not with "later", a resume would get the same answer: the version is too old (410), or
                // one that it doesn't know yet (after a restore), or it can't write what follows. A list starts afresh.
                _listNext = e.Reason == KubernetesException.Malformed || e.Code is not (0 or 429 or 503);
                return (e, progressed);
            }
            catch (KubeConfigException e)
            {
                return (e, progressed);
            }

            Tell(_store.Take(events.Current));
            progressed = true;
        }
    }

    private void Tell(IEnumerable<InformerEvent<T>> changes)
    {
        foreach (var change in changes)
        {
            OnChange?.Invoke(change);
        }
    }
}
