using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Identity;

/// <summary>
/// Gives out client certificates: for an invite's one-time secret, and for a certificate that is about to expire. A use of an invite is
/// taken by replacing its Secret at the version that was read, so that of any number of replicas and requests exactly one takes the last.
/// </summary>
internal sealed partial class Enrolment(
    KubernetesClient client,
    SpaceAuthority authority,
    EnrolmentLimiter limiter,
    TimeProvider time,
    ILogger<Enrolment> logger)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    private const int MaxConflicts = 16;
    private const int MaxSecretLength = 128;

    /// <summary>A subject that was revoked and invited again at once waits until its certificate is a later one; more is a clock that is wrong.</summary>
    private static readonly TimeSpan LongestWait = 2 * Revocations.ClockTolerance;

    /// <param name="source">The caller's address, for the limit on failures.</param>
    /// <exception cref="FairleadException">The invite or the request is of no use; the message doesn't tell which of id and secret was wrong.</exception>
    public async Task<CertificateResponse> EnrollAsync(EnrollRequest request, string source, CancellationToken cancellationToken)
    {
        string sourceKey = "source " + source, inviteKey = "invite " + (Subjects.IsLabel(request.InviteId) ? request.InviteId : "");
        limiter.Check(sourceKey, inviteKey);
        try
        {
            var key = SigningRequest.ReadKey(request.CertificateRequest);
            var (user, group, issued) = await TakeUseAsync(request, key, cancellationToken);
            limiter.Succeeded(inviteKey);
            LogEnrolled(Subjects.InvitePrefix + user, request.InviteId, source);
            return Issue(key, user, group, issued);
        }
        catch (FairleadException e) when (e.Error.Category is ErrorCategory.Denied or ErrorCategory.Usage)
        {
            limiter.Failed(sourceKey, inviteKey);
            LogRefused(source, Subjects.IsLabel(request.InviteId) ? request.InviteId : "(malformed)", e.Error.Code);
            throw;
        }
    }

    /// <param name="peer">Who asks, as a certificate proved that is ours, valid or expired not long ago, and not revoked as far as this replica has heard.</param>
    /// <param name="granted">Whether a Grant gives the subject anything: with an expired certificate that is what renewal hangs on.</param>
    /// <exception cref="FairleadException">Revoked, nothing is granted any more, a Kubernetes user's, or the request can't be read.</exception>
    public async Task<CertificateResponse> RenewAsync(PeerIdentity peer, bool granted, RenewRequest request, CancellationToken cancellationToken)
    {
        if (peer.Account is not null)
        {
            throw new FairleadException(
                ErrorCategory.Denied,
                "renewal-by-request",
                $"The certificate of {peer.Subject} is not renewed by itself",
                "each one of a Kubernetes user comes from a new CertificateSigningRequest, which proves that the user still exists",
                "Join again with the kubeconfig: 'fairlead join --kubeconfig FILE'.");
        }

        var key = SigningRequest.ReadKey(request.CertificateRequest);

        // The watch may lag behind: a revocation that was written before this moment must not be outlived by a newer certificate. One that
        // is written after it carries a later time than this certificate (SpaceAdministration.RevokeAsync).
        var issued = WholeSeconds(time.GetUtcNow());
        if (!granted && issued >= peer.Expires)
        {
            throw new FairleadException(
                ErrorCategory.Denied,
                "certificate-expired",
                "The client certificate has expired",
                $"it was valid until {peer.Expires:u}, and no Grant names {peer.Subject} any more",
                "Ask an administrator of the space for a Grant, or for a new invite and join again.");
        }

        var revoked = await Revocations.ReadAsync(client, cancellationToken);
        if (revoked.IsRevoked(peer) || revoked.IsRevoked(peer.Subject, issued))
        {
            throw Revoked(peer.Subject);
        }

        LogRenewed(peer.Subject);
        return Issue(key, peer.Subject[Subjects.InvitePrefix.Length..], peer.Group, issued);
    }

    private async Task<(string User, string? Group, DateTimeOffset Issued)> TakeUseAsync(EnrollRequest request, PublicKey key, CancellationToken cancellationToken)
    {
        if (!Subjects.IsLabel(request.InviteId) || request.Secret.Length > MaxSecretLength)
        {
            throw Invalid();
        }

        for (var attempt = 0; attempt < MaxConflicts; attempt++)
        {
            var secret = await client.GetAsync(Resources.Secrets, client.Connection.Namespace, ClusterObjects.InviteSecretPrefix + request.InviteId, cancellationToken);
            if (secret is null || secret.Type != ClusterObjects.InviteSecretType || !SecretMatches(request.Secret, Text(secret, InviteKeys.SecretSha256)))
            {
                throw Invalid();
            }

            var (user, group, usesLeft) = Judge(secret);
            var issued = await ChooseIssuedAsync(Subjects.InvitePrefix + user, cancellationToken);
            secret.Data[InviteKeys.UsesLeft] = Encoding.ASCII.GetBytes((usesLeft - 1).ToString(CultureInfo.InvariantCulture));
            secret.Data[InviteKeys.UsedBy] = Encoding.ASCII.GetBytes(string.Join(',', [.. UsedBy(secret), Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()))]));
            try
            {
                await client.ReplaceAsync(Resources.Secrets, secret, cancellationToken);
                return (user, group, issued);
            }
            catch (KubernetesException e) when (e.IsConflict)
            {
                // Somebody else took a use since it was read: look again at what is left.
            }
            catch (KubernetesException e) when (e.IsNotFound)
            {
                throw Invalid(e);
            }
        }

        throw new FairleadException(ErrorCategory.TimedOut, "invite-busy", "The invite is being used by many at once", "every attempt met another", "Try again.");
    }

    private (string User, string? Group, int UsesLeft) Judge(Secret secret)
    {
        var user = Text(secret, InviteKeys.User);
        var group = Text(secret, InviteKeys.Group) is { Length: > 0 } text ? text : null;
        if (!Subjects.IsLabel(user) || (group is not null && !Subjects.IsLabel(group))
            || !int.TryParse(Text(secret, InviteKeys.UsesLeft), NumberStyles.None, CultureInfo.InvariantCulture, out var usesLeft)
            || !DateTimeOffset.TryParse(Text(secret, InviteKeys.Expires), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var expires))
        {
            throw new FairleadException(ErrorCategory.Denied, "invite-damaged", "The invite's record in the cluster is damaged", "somebody edited it", "Ask for a new invite.");
        }

        if (time.GetUtcNow() >= expires)
        {
            throw new FairleadException(ErrorCategory.Denied, "token-expired", "The join token has expired", $"it could be used until {expires:u}", "Ask for a new invite.");
        }

        return usesLeft > 0
            ? (user, group, usesLeft)
            : throw new FairleadException(ErrorCategory.Denied, "token-used", "The join token has been used already", "each token joins as many machines as it was made for", "Ask for a new invite.");
    }

    /// <summary>A moment after the subject's last revocation, so that whoever is invited again isn't locked out by the old one.</summary>
    private async Task<DateTimeOffset> ChooseIssuedAsync(string subject, CancellationToken cancellationToken)
    {
        var revoked = await Revocations.ReadAsync(client, cancellationToken);
        var issued = WholeSeconds(time.GetUtcNow());
        if (revoked.DeniedUntil(subject) is not { } last || issued > last)
        {
            return issued;
        }

        if (last - issued > LongestWait)
        {
            throw Revoked(subject);
        }

        await Task.Delay(last - time.GetUtcNow() + TimeSpan.FromSeconds(1), time, cancellationToken);
        return WholeSeconds(time.GetUtcNow());
    }

    private CertificateResponse Issue(PublicKey key, string user, string? group, DateTimeOffset issued)
    {
        using var certificate = authority.IssueClient(key, user, group, issued, Lifetime);
        return new CertificateResponse(
            certificate.ExportCertificatePem(), authority.CertificatePem, Subjects.InvitePrefix + user, issued + Lifetime, issued + (Lifetime * 2 / 3));
    }

    private static bool SecretMatches(string given, string expectedSha256)
    {
        try
        {
            return CryptographicOperations.FixedTimeEquals(SHA256.HashData(Base64Url.DecodeFromChars(given)), Convert.FromHexString(expectedSha256));
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static string[] UsedBy(Secret secret) => Text(secret, InviteKeys.UsedBy).Split(',', StringSplitOptions.RemoveEmptyEntries);

    private static string Text(Secret secret, string key) => secret.Data.TryGetValue(key, out var bytes) ? Encoding.UTF8.GetString(bytes) : "";

    private static DateTimeOffset WholeSeconds(DateTimeOffset at) => DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds());

    private static FairleadException Invalid(Exception? inner = null) => new(
        ErrorCategory.Denied, "token-invalid", "The join token is not valid", "this space has no such invite, or it was withdrawn", "Ask for a new invite.", inner);

    private static FairleadException Revoked(string subject) => new(
        ErrorCategory.Denied, "revoked", $"Access of {subject} was revoked", "an administrator of the space revoked it", "Ask for a new invite and join again.");

    [LoggerMessage(1001, LogLevel.Information, "{Subject} joined with invite {Invite} from {Source}")]
    private partial void LogEnrolled(string subject, string invite, string source);

    [LoggerMessage(1002, LogLevel.Warning, "an attempt to join from {Source} with invite {Invite} was refused: {Code}")]
    private partial void LogRefused(string source, string invite, string code);

    [LoggerMessage(1003, LogLevel.Information, "{Subject} renewed its certificate")]
    private partial void LogRenewed(string subject);
}
