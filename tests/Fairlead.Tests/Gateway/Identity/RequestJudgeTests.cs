using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fairlead.Gateway.Identity;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Gateway.Identity;

public sealed class RequestJudgeTests
{
    private const string Space = "0a1b";

    [Fact]
    public void Request_without_names_is_accepted_for_its_author()
    {
        var (accepted, refusal) = RequestJudge.Judge(Request(), Space);

        refusal.ShouldBeNull();
        accepted!.Account.Name.ShouldBe("bob");
        accepted.Account.Groups.ShouldBe(["devs"]);
        accepted.Lifetime.ShouldBe(TimeSpan.FromHours(12));
    }

    [Theory]
    [InlineData(600, 600)]
    [InlineData(43200, 43200)]
    [InlineData(86400, 43200)]
    public void Lifetime_is_what_was_asked_for_but_never_longer_than_twelve_hours(int asked, int given) =>
        RequestJudge.Judge(Request(change: r => r.Spec.ExpirationSeconds = asked), Space).Accepted!.Lifetime.TotalSeconds.ShouldBe(given);

    [Theory]
    [InlineData("CN=k8s:bob", null)]
    [InlineData("CN=k8s:bob, O=0a1b", null)]
    [InlineData("CN=k8s:alice", "ForgedName")]
    [InlineData("CN=bob", "ForgedName")]
    [InlineData("CN=k8s:bob, O=another", "ForgedName")]
    [InlineData("CN=k8s:bob, O=0a1b, OU=admins", "ForgedName")]
    [InlineData("CN=invite:root", "ForgedName")]
    [InlineData("CN=k8s:bob, CN=k8s:alice", "ForgedName")]
    public void Subject_must_be_nothing_or_the_authors(string subject, string? reason) =>
        RequestJudge.Judge(Request(subject), Space).Refusal?.Reason.ShouldBe(reason);

    [Theory]
    [InlineData("fairlead://0a1b/k8s/bob", null)]
    [InlineData("fairlead://0a1b/k8s/alice", "ForgedName")]
    public void Alternative_names_must_be_none_or_the_authors(string uri, string? reason)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(uri));
        RequestJudge.Judge(Request(extension: names.Build()), Space).Refusal?.Reason.ShouldBe(reason);
    }

    [Fact]
    public void Extension_that_would_make_an_authority_is_refused()
    {
        var refusal = RequestJudge.Judge(Request(extension: new X509BasicConstraintsExtension(true, false, 0, true)), Space).Refusal!;
        refusal.Reason.ShouldBe("ForgedName");
        refusal.Message.ShouldContain("Basic Constraints");
    }

    [Theory]
    [InlineData("WrongUsage", "server auth")]
    [InlineData("WrongUsage", "client auth", "cert sign")]
    [InlineData("WrongUsage")]
    [InlineData(null, "client auth")]
    [InlineData(null, "digital signature", "client auth")]
    public void Usages_are_those_of_a_client(string? reason, params string[] usages) =>
        RequestJudge.Judge(Request(change: r => r.Spec.Usages = usages), Space).Refusal?.Reason.ShouldBe(reason);

    [Fact]
    public void Signer_that_is_not_ours_is_refused() =>
        RequestJudge.Judge(Request(change: r => r.Spec.SignerName = "kubernetes.io/kube-apiserver-client"), Space).Refusal!.Reason.ShouldBe("ForeignSigner");

    [Fact]
    public void Key_of_another_kind_is_refused_with_the_reason()
    {
        using var rsa = RSA.Create(2048);
        var pem = new CertificateRequest("", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequestPem();
        var refusal = RequestJudge.Judge(Request(change: r => r.Spec.Request = Encoding.ASCII.GetBytes(pem)), Space).Refusal!;
        refusal.Reason.ShouldBe("UnusableRequest");
        refusal.Message.ShouldContain("P-256 or P-384");
    }

    [Fact]
    public void Key_on_p384_is_accepted() =>
        RequestJudge.Judge(Request(curve: ECCurve.NamedCurves.nistP384), Space).Accepted.ShouldNotBeNull();

    [Fact]
    public void Request_that_is_not_signed_with_its_own_key_is_refused()
    {
        var request = Request();
        var der = PemEncoding.Find(Encoding.ASCII.GetString(request.Spec.Request)) is var at
            ? Convert.FromBase64String(Encoding.ASCII.GetString(request.Spec.Request)[at.Base64Data]) : [];
        der[^1] ^= 1;
        request.Spec.Request = Encoding.ASCII.GetBytes(PemEncoding.WriteString("CERTIFICATE REQUEST", der));
        RequestJudge.Judge(request, Space).Refusal!.Reason.ShouldBe("UnusableRequest");
    }

    [Theory]
    [InlineData("system:serviceaccount:shop:ci", true)]
    [InlineData("Ünal Özgür <u@example.com>", true)]
    [InlineData("", false)]
    [InlineData("bob\n", false)]
    [InlineData(" bob", false)]
    public void Author_may_have_any_name_that_can_be_written_down(string name, bool good) =>
        (RequestJudge.Judge(Request(change: r => r.Spec.Username = name), Space).Refusal is null).ShouldBe(good);

    [Fact]
    public void Author_with_thousands_of_groups_is_refused() =>
        RequestJudge.Judge(Request(change: r => r.Spec.Groups = [.. Enumerable.Range(0, 4000).Select(i => $"group-{i}")]), Space).Refusal!.Reason.ShouldBe("TooManyGroups");

    private static CertificateSigningRequest Request(string subject = "", X509Extension? extension = null, Action<CertificateSigningRequest>? change = null, ECCurve? curve = null)
    {
        using var key = ECDsa.Create(curve ?? ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        if (extension is not null)
        {
            asked.CertificateExtensions.Add(extension);
        }

        var request = new CertificateSigningRequest
        {
            Spec =
            {
                Request = Encoding.ASCII.GetBytes(asked.CreateSigningRequestPem()), SignerName = "fairlead.dev/client", Usages = ["client auth"], Username = "bob", Groups = ["devs"],
            },
        };
        change?.Invoke(request);
        return request;
    }
}
