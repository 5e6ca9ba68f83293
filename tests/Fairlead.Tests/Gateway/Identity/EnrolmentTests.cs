using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Identity;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Identity;

public sealed class EnrolmentTests : IAsyncLifetime
{
    private readonly ManualTime time = new(skip: TimeSpan.FromSeconds(6));
    private readonly SpaceAuthority authority;
    private FakeCluster cluster = null!;

    public EnrolmentTests()
    {
        var (certificate, key) = SpaceAuthority.Generate(time);
        authority = SpaceAuthority.Load(certificate, key, time);
    }

    public async ValueTask InitializeAsync() => cluster = await FakeCluster.StartAsync();

    public async ValueTask DisposeAsync() => await cluster.DisposeAsync();

    [Fact]
    public async Task Enrol_valid_invite_gives_a_certificate_of_the_invited_user_whatever_the_request_says()
    {
        var secret = Invites.Put(cluster, "one", time.GetUtcNow().AddHours(1), group: "team");
        var request = Invites.Request(subject: "CN=invite:root, O=elsewhere", change: r =>
        {
            r.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            r.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        });
        var answer = await Replica().EnrollAsync(new EnrollRequest("one", secret, request), "10.0.0.1", default);
        answer.Subject.ShouldBe("invite:alice");
        answer.NotAfter.ShouldBe(time.GetUtcNow() + TimeSpan.FromHours(24));
        answer.RenewAfter.ShouldBe(time.GetUtcNow() + TimeSpan.FromHours(16));
        using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
        certificate.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority.ShouldBeFalse();
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Cast<Oid>().Single().Value.ShouldBe("1.3.6.1.5.5.7.3.2");
        var peer = new ClientCertificates(authority, new Revocations(), time).Identify(certificate)!;
        (peer.Subject, peer.Group, peer.Issued).ShouldBe(("invite:alice", "team", time.GetUtcNow()));
    }

    [Fact]
    public async Task Enrol_used_invite_is_refused_also_for_the_very_same_request()
    {
        var secret = Invites.Put(cluster, "one", time.GetUtcNow().AddHours(1));
        var request = Invites.Enroll("one", secret);
        await Replica().EnrollAsync(request, "a", default);
        (await RefusedAsync(Replica().EnrollAsync(request, "a", default))).ShouldBe("token-used");
    }

    [Fact]
    public async Task Enrol_two_replicas_racing_for_the_last_use_exactly_one_wins()
    {
        for (var round = 0; round < 10; round++)
        {
            var id = "race" + round;
            var secret = Invites.Put(cluster, id, time.GetUtcNow().AddHours(1));
            var both = new Barrier();
            cluster.BeforeWrite = (method, path) => method == "PUT" && path.EndsWith(id) ? both.MeetAsync() : Task.CompletedTask;
            var results = await Task.WhenAll(TryAsync(Replica().EnrollAsync(Invites.Enroll(id, secret), "a", default)), TryAsync(Replica().EnrollAsync(Invites.Enroll(id, secret), "b", default)));
            results.Order().ShouldBe(["ok", "token-used"]);
            Invites.UsesLeft(cluster, id).ShouldBe("0");
        }
    }

    [Fact]
    public async Task Enrol_many_uses_are_each_taken_once()
    {
        var secret = Invites.Put(cluster, "many", time.GetUtcNow().AddHours(1), uses: 3);
        var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => TryAsync(Replica().EnrollAsync(Invites.Enroll("many", secret), "s" + i, default))));
        results.Count(r => r == "ok").ShouldBe(3);
        results.Count(r => r == "token-used").ShouldBe(3);
    }

    [Fact]
    public async Task Enrol_expired_invite_is_refused_and_keeps_its_use()
    {
        var secret = Invites.Put(cluster, "old", time.GetUtcNow().AddSeconds(-1));
        (await RefusedAsync(Replica().EnrollAsync(Invites.Enroll("old", secret), "a", default))).ShouldBe("token-expired");
        Invites.UsesLeft(cluster, "old").ShouldBe("1");
    }

    [Fact]
    public async Task Enrol_wrong_secret_unknown_invite_and_foreign_secret_look_alike()
    {
        Invites.Put(cluster, "real", time.GetUtcNow().AddHours(1));
        var secret = Invites.Put(cluster, "opaque", time.GetUtcNow().AddHours(1), type: "Opaque");
        var other = Invites.Put(cluster, "other", time.GetUtcNow().AddHours(1));
        foreach (var (id, given) in new[] { ("real", other), ("real", ""), ("real", "!!"), ("missing", other), ("opaque", secret), ("../fairlead-ca", other), ("", other), (new string('a', 64), other) })
        {
            (await RefusedAsync(Replica().EnrollAsync(new EnrollRequest(id, given, Invites.Request()), "a", default))).ShouldBe("token-invalid", id);
        }

        Invites.UsesLeft(cluster, "real").ShouldBe("1");
    }

    [Fact]
    public async Task Enrol_revoked_subject_that_is_invited_again_gets_a_certificate_that_counts()
    {
        cluster.Put("/api/v1/namespaces/fairlead/configmaps/fairlead-revocations", $$"""{"data":{"invite.alice":"{{time.GetUtcNow():O}}"} }""");
        var revocations = new Revocations();
        revocations.Replace(new Dictionary<string, string> { ["invite.alice"] = time.GetUtcNow().ToString("O") });
        var secret = Invites.Put(cluster, "again", time.GetUtcNow().AddHours(1));
        var answer = await Replica().EnrollAsync(Invites.Enroll("again", secret), "a", default);
        using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
        new ClientCertificates(authority, revocations, time).Identify(certificate).ShouldNotBeNull();
    }

    [Fact]
    public async Task Renew_revoked_while_this_replica_has_not_heard_is_refused()
    {
        var peer = new PeerIdentity("invite:alice", time.GetUtcNow().AddHours(-1), time.GetUtcNow().AddHours(23));
        (await Replica().RenewAsync(peer, granted: false, new RenewRequest(Invites.Request()), default)).Subject.ShouldBe("invite:alice");
        cluster.Put("/api/v1/namespaces/fairlead/configmaps/fairlead-revocations", $$"""{"data":{"invite.alice":"{{time.GetUtcNow().AddMinutes(-1):O}}"} }""");
        (await RefusedAsync(Replica().RenewAsync(peer, granted: false, new RenewRequest(Invites.Request()), default))).ShouldBe("revoked");
    }

    [Fact]
    public async Task Renew_expired_hangs_on_a_grant_and_on_no_revocation()
    {
        var peer = new PeerIdentity("invite:alice", time.GetUtcNow().AddDays(-8), time.GetUtcNow().AddDays(-7), "team");
        var renewed = await Replica().RenewAsync(peer, granted: true, new RenewRequest(Invites.Request()), default);
        (renewed.Subject, renewed.NotAfter).ShouldBe(("invite:alice", time.GetUtcNow() + Enrolment.Lifetime));
        (await RefusedAsync(Replica().RenewAsync(peer, granted: false, new RenewRequest(Invites.Request()), default))).ShouldBe("certificate-expired");
        cluster.Put("/api/v1/namespaces/fairlead/configmaps/fairlead-revocations", $$"""{"data":{"invite.alice":"{{time.GetUtcNow().AddDays(-1):O}}"} }""");
        (await RefusedAsync(Replica().RenewAsync(peer, granted: true, new RenewRequest(Invites.Request()), default))).ShouldBe("revoked");
    }

    [Fact]
    public async Task Enrol_failing_again_and_again_has_to_wait()
    {
        var replica = Replica();
        var codes = new List<string>();
        for (var i = 0; i < EnrolmentLimiter.FreeFailures + 1; i++)
        {
            codes.Add(await RefusedAsync(replica.EnrollAsync(Invites.Enroll("none", "AAAA"), "a", default)));
        }

        codes.Distinct().ShouldBe(["token-invalid", "too-many-attempts"]);
        codes[^1].ShouldBe("too-many-attempts");
        time.Advance(TimeSpan.FromMinutes(2));
        (await RefusedAsync(replica.EnrollAsync(Invites.Enroll("none", "AAAA"), "a", default))).ShouldBe("token-invalid");
    }

    [Fact]
    public async Task Authority_made_by_two_gateways_at_once_is_one()
    {
        var both = new Barrier();
        cluster.BeforeWrite = (_, _) => both.MeetAsync();
        var made = await Task.WhenAll(AuthorityStore.LoadOrCreateAsync(cluster.Client, time, default), AuthorityStore.LoadOrCreateAsync(cluster.Client, time, default));
        made[0].SpaceUid.ShouldBe(made[1].SpaceUid);
        made[0].CertificatePem.ShouldBe(made[1].CertificatePem);
    }

    [Fact]
    public async Task Authority_damaged_secret_is_a_clear_error()
    {
        cluster.Put(Invites.Secrets + "fairlead-ca", """{"data":{"tls.crt":"Z2FyYmFnZQ==","tls.key":"Z2FyYmFnZQ=="}}""");
        var e = await Should.ThrowAsync<FairleadException>(AuthorityStore.LoadOrCreateAsync(cluster.Client, time, default));
        e.Error.Code.ShouldBe("authority-unusable");
    }

    private Enrolment Replica() => new(cluster.Client, authority, new EnrolmentLimiter(time), time, NullLogger<Enrolment>.Instance);

    private static async Task<string> RefusedAsync(Task<CertificateResponse> task) => (await Should.ThrowAsync<FairleadException>(task)).Error.Code;

    private static async Task<string> TryAsync(Task<CertificateResponse> task)
    {
        try
        {
            await task;
            return "ok";
        }
        catch (FairleadException e)
        {
            return e.Error.Code;
        }
    }

    /// <summary>Lets the first two come to the same point before either goes on.</summary>
    private sealed class Barrier
    {
        private readonly TaskCompletionSource met = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int count;

        public Task MeetAsync()
        {
            if (Interlocked.Increment(ref count) >= 2)
            {
                met.TrySetResult();
            }

            return met.Task.WaitAsync(Limit);
        }
    }
}
