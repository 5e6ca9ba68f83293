using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>A failure with the HTTP code and reason that a Kubernetes API server would give (a <c>Status</c> object on the wire).</summary>
public sealed class StatusException(int code, string reason, string message) : Exception(message)
{
    public int Code { get; } = code;

    public string Reason { get; } = reason;

    /// <summary><c>status.details</c>: name, group, kind, causes; null when there is nothing to add to the message.</summary>
    public JsonObject? Details { get; init; }

    /// <summary>The <c>metav1.Status</c> that the server answers.</summary>
    public JsonObject ToStatus()
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = Message,
            ["reason"] = Reason,
        };
        if (Details is not null)
        {
            status["details"] = Details.DeepClone();
        }

        status["code"] = Code;
        return status;
    }
}
