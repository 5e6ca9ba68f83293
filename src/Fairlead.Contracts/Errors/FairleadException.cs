namespace Fairlead.Contracts.Errors;

/// <summary>What kind of failure a person met; each maps to one exit code of the CLI (docs/cli.md) and one HTTP status of the local API.</summary>
public enum ErrorCategory
{
    /// <summary>Exit code 1, HTTP 500.</summary>
    Failed = 1,

    /// <summary>The request made no sense: exit code 2, HTTP 400.</summary>
    Usage = 2,

    /// <summary>No daemon, no space, or no way to the gateway: exit code 3, HTTP 503.</summary>
    NotConnected = 3,

    /// <summary>Not allowed, here or by the gateway: exit code 4, HTTP 403.</summary>
    Denied = 4,

    /// <summary>Addresses, ports, routes or attachments that somebody else has: exit code 5, HTTP 409.</summary>
    Conflict = 5,

    /// <summary>Exit code 6, HTTP 504.</summary>
    TimedOut = 6,
}

/// <summary>
/// A failure as a person is told it. <see cref="Code"/> is stable and machine-readable (<c>token-expired</c>), <see cref="Message"/> says in
/// one sentence what failed, <see cref="Why"/> in one sentence why, <see cref="Hint"/> names the next command.
/// </summary>
public sealed record ErrorInfo(ErrorCategory Category, string Code, string Message, string? Why = null, string? Hint = null);

/// <summary>The body of every answer of the local API and of the gateway's API that is not a success.</summary>
public sealed record ErrorResponse(ErrorInfo Error);

/// <summary>A failure that reaches a person as it is; anything else that escapes is a defect and is shown as an internal error.</summary>
public sealed class FairleadException : Exception
{
    public FairleadException(ErrorInfo error, Exception? inner = null) : base(error.Message, inner) => Error = error;

    public FairleadException(ErrorCategory category, string code, string message, string? why = null, string? hint = null, Exception? inner = null)
        : this(new ErrorInfo(category, code, message, why, hint), inner)
    {
    }

    public ErrorInfo Error { get; }
}
