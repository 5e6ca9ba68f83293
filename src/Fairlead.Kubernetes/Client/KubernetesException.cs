using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>
/// A request to the API server failed. <see cref="Code"/> is the HTTP status and <see cref="Reason"/> the <c>reason</c> of the server's
/// <c>Status</c> object (<c>NotFound</c>, <c>AlreadyExists</c>, <c>Conflict</c>, <c>Forbidden</c>, <c>Expired</c>, …). Code 0 means that
/// no answer came: <c>Unreachable</c>, <c>Untrusted</c> (TLS), <c>Timeout</c>, or <c>Malformed</c> when what came was not understood.
/// </summary>
public sealed class KubernetesException(int code, string reason, string message, Status? status = null, Exception? inner = null)
    : Exception(message, inner)
{
    public const string Unreachable = nameof(Unreachable);
    public const string Untrusted = nameof(Untrusted);
    public const string Timeout = nameof(Timeout);
    public const string Malformed = nameof(Malformed);

    public int Code { get; } = code;

    public string Reason { get; } = reason;

    /// <summary>The server's own words, when it gave any.</summary>
    public Status? Status { get; } = status;

    public bool IsNotFound => Code == 404;

    /// <summary>409 because the object was changed by somebody else: read it again and repeat.</summary>
    public bool IsConflict => Code == 409 && Reason == "Conflict";

    /// <summary>409 because an object of that name is there already.</summary>
    public bool IsAlreadyExists => Code == 409 && Reason == "AlreadyExists";

    /// <summary>410: the resource version or continue token is too old; list again.</summary>
    public bool IsGone => Code == 410;
}
