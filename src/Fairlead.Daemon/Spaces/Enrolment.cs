using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Names;

namespace Fairlead.Daemon.Spaces;

/// <summary>A certificate as the gateway signed it. <paramref name="Certificate"/> holds the private key, which never left this machine.</summary>
internal sealed record Enrolled(X509Certificate2 Certificate, CertificateResponse Response);

/// <summary>Gets certificates from a gateway: the first one by a join token, the following ones by the one before.</summary>
internal static class Enrolment
{
    /// <summary>Certificates are made valid a little in the past, but not more than this.</summary>
    internal static readonly TimeSpan MaxClockSkew = TimeSpan.FromMinutes(5);

    /// <summary>Refuses tokens whose parts can't be a directory's name or a part of a host name.</summary>
    /// <exception cref="FairleadException"/>
    public static JoinToken ReadToken(string text)
    {
        var token = JoinToken.Parse(text);
        return ServiceNames.IsLabel(token.SpaceUid) && ServiceNames.IsLabel(token.SpaceName)
            ? token
            : throw new FairleadException(ErrorCategory.Usage, "token-invalid", "This is not a join token that can be used", "the space that it names has no proper name", "Ask whoever invited you for a new token.");
    }

    /// <exception cref="FairleadException">The token is used, expired or forged, the gateway can't be reached or is another one, the clock is off.</exception>
    public static async Task<Enrolled> JoinAsync(HttpClient gateway, JoinToken token, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await CheckClockAsync(gateway, time, cancellationToken);
        }
        catch (FairleadException e) when (e.Error is { Category: ErrorCategory.NotConnected, Code: not "clock-skew" } && token.Expires < time.GetUtcNow())
        {
            throw new FairleadException(ErrorCategory.Denied, "token-expired", "The join token has expired", $"it was valid until {token.Expires:u}, and the gateway can't be reached to ask", "Ask whoever invited you for a new token.", e);
        }

        return await RequestAsync(
            request => GatewayClient.PostAsync(
                gateway,
                GatewayApi.Enroll,
                new EnrollRequest(token.InviteId, token.Secret, request),
                GatewayJson.Default.EnrollRequest,
                GatewayJson.Default.CertificateResponse,
                cancellationToken),
            authority => Convert.ToHexStringLower(authority.GetCertHash(HashAlgorithmName.SHA256)) == token.AuthoritySha256);
    }

    /// <param name="authority">The CA that the space had when it was joined; it may not change.</param>
    /// <exception cref="FairleadException"/>
    public static Task<Enrolled> RenewAsync(HttpClient gateway, X509Certificate2 authority, CancellationToken cancellationToken) => RequestAsync(
        request => GatewayClient.PostAsync(
            gateway, GatewayApi.Renew, new RenewRequest(request), GatewayJson.Default.RenewRequest, GatewayJson.Default.CertificateResponse, cancellationToken),
        answered => answered.RawDataMemory.Span.SequenceEqual(authority.RawDataMemory.Span));

    /// <summary>How far this machine's clock is ahead of the gateway's; null when the gateway doesn't say.</summary>
    public static async Task<TimeSpan?> MeasureClockAsync(HttpClient gateway, TimeProvider time, CancellationToken cancellationToken) =>
        await GatewayClient.GetClockAsync(gateway, cancellationToken) is { } theirs ? time.GetUtcNow() - theirs : null;

    /// <summary>Before the one-time secret is spent: with a clock that is off, the certificate would be of no use.</summary>
    private static async Task CheckClockAsync(HttpClient gateway, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await MeasureClockAsync(gateway, time, cancellationToken) is { } ahead && ahead.Duration() > MaxClockSkew)
        {
            throw new FairleadException(WrongClock(ahead) with { Hint = "Set the clock ('timedatectl set-ntp true'), then join again: the token has not been used up." });
        }
    }

    /// <param name="ahead">Of the gateway's.</param>
    internal static ErrorInfo WrongClock(TimeSpan ahead) => new(
        ErrorCategory.Failed, "clock-skew", "This machine's clock is wrong", $"it is {Describe(ahead)} the gateway's", "Set the clock ('timedatectl set-ntp true').");

    internal static string Describe(TimeSpan ahead)
    {
        var amount = ahead.Duration();
        var text = amount.TotalHours >= 48 ? $"{amount.TotalDays:0} days" : amount.TotalMinutes >= 120 ? $"{amount.TotalHours:0} hours" : $"{amount.TotalMinutes:0} minutes";
        return $"{text} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")}";
    }

    private static async Task<Enrolled> RequestAsync(Func<string, Task<CertificateResponse>> send, Func<X509Certificate2, bool> isAuthority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var response = await send(new CertificateRequest("CN=fairlead", key, HashAlgorithmName.SHA256).CreateSigningRequestPem());
        try
        {
            using var authority = X509Certificate2.CreateFromPem(response.Authority);
            using var certificate = X509Certificate2.CreateFromPem(response.Certificate);
            if (!isAuthority(authority) || !IsSignedBy(certificate, authority))
            {
                throw new FairleadException(ErrorCategory.Denied, "gateway-forged", "The gateway's answer is not from the space that the token names", "its certificate authority is another one", "Ask whoever invited you for a new token.");
            }

            // Throws when the gateway certified another key than ours.
            return new Enrolled(certificate.CopyWithPrivateKey(key), response);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new FairleadException(ErrorCategory.Failed, "gateway-version", "The gateway's answer makes no sense", "it holds no certificate for our key", "Compare 'fairlead version' with the gateway's version.", e);
        }
    }

    private static bool IsSignedBy(X509Certificate2 certificate, X509Certificate2 authority)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;

        // Whether the clocks agree was judged before.
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        return chain.Build(certificate);
    }
}
