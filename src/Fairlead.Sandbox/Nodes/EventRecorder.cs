using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>
/// Writes Events as kubelet and controllers do: the same event again only raises its count. The last 1 000 are kept, which is more than
/// anybody reads and little memory.
/// </summary>
internal sealed class EventRecorder(IObjectStore store, TimeProvider time)
{
    private const int Kept = 1_000;

    private readonly Lock gate = new();
    private readonly Dictionary<(string Uid, string Reason, string Message), ObjectKey> known = [];
    private readonly Queue<(string Uid, string Reason, string Message)> order = new();

    internal void Normal(JsonObject about, string reason, string message) => Record(about, "Normal", reason, message);

    internal void Warning(JsonObject about, string reason, string message) => Record(about, "Warning", reason, message);

    private void Record(JsonObject about, string type, string reason, string message)
    {
        var id = (about.Uid(), reason, message);
        lock (gate)
        {
            try
            {
                if (known.TryGetValue(id, out var key))
                {
                    store.Modify(Kinds.Events, key.Namespace, key.Name, found =>
                    {
                        found["count"] = (found.Number("count") ?? 1) + 1;
                        found["lastTimestamp"] = time.Timestamp();
                        return true;
                    });
                    return;
                }
            }
            catch (StatusException e) when (e.Code == 404)
            {
                // Somebody deleted it: it is written anew.
                known.Remove(id);
            }

            try
            {
                known[id] = store.Create(Kinds.Events, Render(about, type, reason, message)).Key();
                order.Enqueue(id);
                if (order.Count > Kept && known.Remove(order.Dequeue(), out var old))
                {
                    store.Delete(Kinds.Events, old.Namespace, old.Name, force: true);
                }
            }
            catch (StatusException e) when (e.Code is 403 or 404 or 409)
            {
                // The namespace is going away, or the old event is gone already.
            }
        }
    }

    private JsonObject Render(JsonObject about, string type, string reason, string message) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Event",
        ["metadata"] = new JsonObject
        {
            ["name"] = $"{about.Name()}.{Guid.NewGuid():N}"[..Math.Min(about.Name().Length + 17, 250)],
            ["namespace"] = about.Namespace() is { Length: > 0 } ns ? ns : "default",
        },
        ["involvedObject"] = new JsonObject
        {
            ["apiVersion"] = about.Text("apiVersion"),
            ["kind"] = about.Text("kind"),
            ["name"] = about.Name(),
            ["namespace"] = about.Namespace(),
            ["uid"] = about.Uid(),
        },
        ["reason"] = reason,
        ["message"] = message,
        ["type"] = type,
        ["count"] = 1,
        ["firstTimestamp"] = time.Timestamp(),
        ["lastTimestamp"] = time.Timestamp(),
        ["source"] = new JsonObject { ["component"] = "sandbox" },
        ["reportingComponent"] = "sandbox",
        ["reportingInstance"] = Network.ClusterLayout.NodeName,
    };
}
