using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>
/// One watch: events as JSON documents, one a line, until the client goes, its time is up or the server stops. What a selector begins to
/// let through appears as added, and what it ceases to as deleted.
/// </summary>
internal sealed class WatchReply(HttpResponse response, ResourceKind kind, ObjectReply reply, Func<JsonObject, bool> matches, TimeProvider time)
{
    /// <summary>Kubernetes sends a bookmark about once a minute.</summary>
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);

    /// <summary>Events of a burst are sent together up to this many bytes.</summary>
    private const int BatchSize = 64 * 1024;

    private bool isFirst = true;

    /// <param name="initial">Objects to report as added before the changes.</param>
    /// <param name="changes">Every change after <paramref name="since"/>; it ends by throwing when the watch is to end.</param>
    /// <param name="since">The version that the watch starts from.</param>
    /// <param name="wantsBookmarks">allowWatchBookmarks.</param>
    /// <param name="clientGone">The connection's own end, unlike that of the watch.</param>
    public async Task RunAsync(
        IReadOnlyList<JsonObject> initial, IAsyncEnumerable<WatchEvent> changes, long since, bool wantsBookmarks, CancellationToken clientGone)
    {
        response.ContentType = "application/json";
        var seen = since;
        foreach (var item in initial.Where(matches))
        {
            await WriteAsync("ADDED", item, clientGone);
        }

        try
        {
            await using var events = changes.GetAsyncEnumerator(clientGone);
            while (true)
            {
                var next = events.MoveNextAsync().AsTask();
                if (!next.IsCompleted)
                {
                    await response.BodyWriter.FlushAsync(clientGone);
                    while (wantsBookmarks && !await CompletesSoonAsync(next))
                    {
                        await WriteAsync("BOOKMARK", Bookmark(seen), clientGone);
                        await response.BodyWriter.FlushAsync(clientGone);
                    }
                }

                await next;
                var change = events.Current;
                seen = change.ResourceVersion;
                if (TypeFor(change) is { } type)
                {
                    await WriteAsync(type, change.Object, clientGone);
                }
            }
        }
        catch (OperationCanceledException) when (!clientGone.IsCancellationRequested)
        {
            if (wantsBookmarks)
            {
                await WriteAsync("BOOKMARK", Bookmark(seen), clientGone); // The next watch starts where this one ended.
            }
        }
        catch (StatusException failure)
        {
            // The response has begun, so that a version which is too old can only be told as an event.
            await WriteLineAsync(writer => WriteFailure(writer, failure), clientGone);
        }

        await response.BodyWriter.FlushAsync(clientGone);
    }

    private string? TypeFor(WatchEvent change)
    {
        var (before, after) = (change.Previous is { } previous && matches(previous), matches(change.Object));
        return change.Type switch
        {
            WatchEventType.Deleted => before || after ? "DELETED" : null,
            WatchEventType.Added => after ? "ADDED" : null,
            _ when before && after => "MODIFIED",
            _ when after => "ADDED",
            _ => before ? "DELETED" : null,
        };
    }

    private async Task<bool> CompletesSoonAsync(Task task)
    {
        try
        {
            await task.WaitAsync(BookmarkInterval, time);
        }
        catch (TimeoutException)
        {
            return false;
        }

        return true;
    }

    private Task WriteAsync(string type, JsonObject item, CancellationToken cancellationToken)
    {
        var withColumns = isFirst;
        isFirst = false;
        return WriteLineAsync(writer => reply.WriteEvent(writer, type, item, withColumns), cancellationToken);
    }

    private async Task WriteLineAsync(Action<Utf8JsonWriter> write, CancellationToken cancellationToken)
    {
        await using (var writer = new Utf8JsonWriter(response.BodyWriter, JsonText.WriteOptions))
        {
            write(writer);
        }

        response.BodyWriter.Write("\n"u8);
        if (response.BodyWriter.UnflushedBytes > BatchSize)
        {
            await response.BodyWriter.FlushAsync(cancellationToken);
        }
    }

    private static void WriteFailure(Utf8JsonWriter writer, StatusException failure)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "ERROR");
        writer.WritePropertyName("object");
        failure.ToStatus().WriteTo(writer);
        writer.WriteEndObject();
    }

    private JsonObject Bookmark(long version) => new()
    {
        ["kind"] = kind.Kind,
        ["apiVersion"] = kind.ApiVersion,
        ["metadata"] = new JsonObject { ["resourceVersion"] = version.ToString(), ["creationTimestamp"] = null },
    };
}
