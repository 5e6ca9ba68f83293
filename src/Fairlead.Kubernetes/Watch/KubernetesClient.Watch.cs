using System.Runtime.CompilerServices;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

public sealed partial class KubernetesClient
{
    /// <summary>An object is at most 1.5 MiB in etcd; JSON may escape it to a few times that.</summary>
    private const int MaxWatchLine = 8 * 1024 * 1024;

    /// <summary>How long the server is asked to keep a watch; it varies so that many clients don't come back together.</summary>
    private static readonly TimeSpan MinWatch = TimeSpan.FromMinutes(5);

    /// <summary>A server that should have ended the watch this long ago is gone.</summary>
    private static readonly TimeSpan WatchGrace = TimeSpan.FromSeconds(30);

    /// <summary>
    /// One watch connection: every change after <paramref name="resourceVersion"/>, bookmarks among them. Ends when the server ends it
    /// (after 5 to 10 minutes); resume from the last version seen. <see cref="Informer{T}"/> does that, and all else that goes wrong.
    /// </summary>
    /// <exception cref="KubernetesException">
    /// Refused, cut off (<c>Unreachable</c>), silent for longer than asked for (<c>Timeout</c>), or garbage (<c>Malformed</c>);
    /// <see cref="KubernetesException.IsGone"/> when the version is too old: list again.
    /// </exception>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ResourceType<T> type,
        string? ns,
        string resourceVersion,
        string? labelSelector = null,
        string? fieldSelector = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : KubeObject
    {
        var lifetime = MinWatch + (MinWatch * Random.Shared.NextDouble());
        var request = new ApiRequest(HttpMethod.Get, ResourcePath.WithQuery(type.CollectionPath(ns),
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion), ("timeoutSeconds", $"{lifetime.TotalSeconds:0}"),
            ("labelSelector", labelSelector), ("fieldSelector", fieldSelector)));

        using var limit = new CancellationTokenSource(lifetime + WatchGrace, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        await using var stream = await OpenStreamAsync(request, cancellationToken);
        await using var lines = LineReader.ReadAsync(stream, MaxWatchLine, stop.Token).GetAsyncEnumerator(CancellationToken.None);
        while (true)
        {
            try
            {
                if (!await lines.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                throw new KubernetesException(0, KubernetesException.Unreachable, $"watch of {type.Plural}: the connection broke off: {e.Message}", inner: e);
            }
            catch (InvalidDataException e)
            {
                throw new KubernetesException(0, KubernetesException.Malformed, $"watch of {type.Plural}: {e.Message}", inner: e);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new KubernetesException(0, KubernetesException.Timeout, $"watch of {type.Plural}: the server did not end it in time", inner: e);
            }

            yield return WatchLine.Parse(lines.Current, type);
        }
    }
}
