using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Identity;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Exits;

/// <summary>
/// Certifies agents that this gateway placed: for a nonce that is good once, for a minute, from the pod's own address. It went through the API server to
/// the container's standard input, and nowhere else.
/// </summary>
internal sealed partial class AgentEnrolment(SpaceAuthority authority, TimeProvider time, ILogger<AgentEnrolment> logger)
{
    public static readonly TimeSpan NonceLifetime = TimeSpan.FromSeconds(60);

    /// <summary>Not renewed: when it is over the next flow has another agent placed.</summary>
    private static readonly TimeSpan CertificateLifetime = TimeSpan.FromHours(24);

    private const int NonceSize = 32;
    private const int MaxSecretLength = 128;

    // By SHA-256 of the nonce, so that looking one up takes no time that tells of it. As many as agents are being placed.
    private readonly ConcurrentDictionary<string, Expected> expected = new();

    /// <summary>Makes a nonce for a pod; base64url.</summary>
    public string Expect(ExitPod pod)
    {
        var now = time.GetUtcNow();
        foreach (var (key, old) in expected)
        {
            if (now >= old.Expires)
            {
                expected.TryRemove(key, out _);
            }
        }

        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(NonceSize));
        expected[KeyOf(nonce)] = new Expected(pod, now + NonceLifetime);
        return nonce;
    }

    /// <param name="request">The pod's uid and the nonce stand where an invite's id and secret do.</param>
    /// <exception cref="FairleadException">The nonce is not good, or not from here.</exception>
    public CertificateResponse Enroll(EnrollRequest request, IPAddress? source)
    {
        if (request.Secret.Length > MaxSecretLength || !expected.TryRemove(KeyOf(request.Secret), out var known)
            || time.GetUtcNow() >= known.Expires || known.Pod.Uid != request.InviteId || source is null || !known.Pod.Addresses.Contains(Plain(source)))
        {
            LogRefused(source);
            throw new FairleadException(ErrorCategory.Denied, "agent-unknown", "This agent is not expected", "its nonce is not known, is over, or was for another pod");
        }

        var key = SigningRequest.ReadKey(request.CertificateRequest);
        var now = time.GetUtcNow();
        using var certificate = authority.IssueAgent(key, known.Pod.Uid, now, CertificateLifetime);
        LogEnrolled(known.Pod);
        return new CertificateResponse(
            certificate.ExportCertificatePem(), authority.CertificatePem, ClientCertificates.AgentPrefix + known.Pod.Uid, now + CertificateLifetime, now + CertificateLifetime);
    }

    private static string KeyOf(string nonce) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(nonce)));

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private sealed record Expected(ExitPod Pod, DateTimeOffset Expires);

    [LoggerMessage(1601, LogLevel.Information, "the agent in pod {Pod} has its certificate")]
    private partial void LogEnrolled(ExitPod pod);

    [LoggerMessage(1602, LogLevel.Warning, "somebody at {Source} claimed to be an agent, with a nonce that is not good there")]
    private partial void LogRefused(IPAddress? source);
}
