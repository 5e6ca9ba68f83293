using System.Net.Http.Headers;
using System.Net.Security;
using System.Text;

namespace Fairlead.Kubernetes;

/// <summary>Who to be on one request: a bearer token, basic credentials, a client certificate, or nothing.</summary>
internal sealed record Credential(string? Token = null, SslStreamCertificateContext? Certificate = null, string? Basic = null)
{
    public AuthenticationHeaderValue? Header =>
        Token is not null ? new("Bearer", Token)
        : Basic is not null ? new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(Basic)))
        : null;

    /// <summary>Says nothing: what would be printed is secret.</summary>
    public override string ToString() => nameof(Credential);
}

/// <summary>Where credentials come from, fresh for every request.</summary>
internal interface ICredentialSource
{
    ValueTask<Credential> GetAsync(TimeProvider time, CancellationToken cancellationToken);

    /// <summary>The server answered 401 to this one. True when asking again may give another, so that the request is worth repeating.</summary>
    bool Reject(Credential credential);
}

internal sealed class FixedCredentials(Credential credential) : ICredentialSource
{
    public static readonly FixedCredentials Anonymous = new(new Credential());

    public ValueTask<Credential> GetAsync(TimeProvider time, CancellationToken cancellationToken) => new(credential);

    public bool Reject(Credential credential) => false;
}

/// <summary>
/// A bearer token in a file that somebody else rotates (a pod's service account token, <c>tokenFile</c> of a kubeconfig). Read again
/// once a minute, as rotation leaves the old token valid for far longer than that, and at once after a 401.
/// </summary>
internal sealed class TokenFileCredentials(string path, SslStreamCertificateContext? certificate = null) : ICredentialSource
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(1);

    private volatile Reading? _current;

    public async ValueTask<Credential> GetAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        if (_current is { } current && time.GetElapsedTime(current.At) < MaxAge)
        {
            return current.Credential;
        }

        var at = time.GetTimestamp();
        string token;
        try
        {
            token = (await File.ReadAllTextAsync(path, cancellationToken)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubeConfigException("can't read the bearer token", e.Message, $"Check that {path} exists and is readable.", e);
        }

        if (token.Length == 0)
        {
            throw new KubeConfigException("can't read the bearer token", $"{path} is empty", "Write the token to it.");
        }

        var credential = new Credential(token, certificate);
        _current = new Reading(credential, at);
        return credential;
    }

    public bool Reject(Credential credential)
    {
        _current = null;
        return true;
    }

    private sealed record Reading(Credential Credential, long At);
}
