using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon;
using Fairlead.Daemon.Companions;
using Fairlead.Gateway.Identity;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>One companion that comes and goes, in front of an authority that signs whatever it is asked for.</summary>
internal sealed class FakeCompanions : ICompanions, IDisposable
{
    private readonly TimeProvider time;
    private SpaceAuthority authority;

    public FakeCompanions(TimeProvider time)
    {
        this.time = time;
        authority = NewAuthority();
    }

    public Signal Changed { get; } = new();

    public bool Present
    {
        get;
        set
        {
            field = value;
            Changed.Pulse();
        }
    } = true;

    public int Enrolments { get; private set; }

    public IReadOnlyList<string> Pods { get; set; } = ["gateway-1"];

    /// <summary>Certifies another key than the one that was asked for.</summary>
    public bool Cheats { get; set; }

    public int? PidOf(uint uid) => Present ? 1 : null;

    public Task<CompanionCarrier> OpenAsync(uint uid, OpenCarrier wanted, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<ClusterEnrolled> EnrolAsync(uint uid, ClusterEnrolment wanted, CancellationToken cancellationToken)
    {
        if (!Present)
        {
            throw new FairleadException(ErrorCategory.NotConnected, "companion-missing", "Your kubeconfig is out of reach", "no companion runs", "Any command starts it: 'fairlead status'.");
        }

        Enrolments++;
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = Cheats ? new PublicKey(other) : CertificateRequest.LoadSigningRequestPem(wanted.CertificateRequest, HashAlgorithmName.SHA256).PublicKey;
        using var certificate = authority.IssueClient(
            key, new KubernetesAccount("bob", null, [], new Dictionary<string, IReadOnlyList<string>>()), time.GetUtcNow(), TimeSpan.FromHours(12));
        var facts = new EnrolmentFacts([1], "team", authority.SpaceUid, [new GatewayEndpoint("gw.example.com", 443, 444)], "fairlead", Pods, 8443, 8444);
        return Task.FromResult(new ClusterEnrolled(
            certificate.ExportCertificatePem() + "\n" + authority.CertificatePem, JsonSerializer.Serialize(facts, GatewayJson.Default.EnrolmentFacts), "here", "https://api.example.com"));
    }

    public void BecomeAnotherSpace()
    {
        authority.Dispose();
        authority = NewAuthority();
    }

    public void Dispose() => authority.Dispose();

    private SpaceAuthority NewAuthority()
    {
        var (certificate, key) = SpaceAuthority.Generate(time);
        return SpaceAuthority.Load(certificate, key, time);
    }
}
