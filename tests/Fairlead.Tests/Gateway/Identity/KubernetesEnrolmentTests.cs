using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Fairlead.Tests.Sandbox.ApiServer.Http;
using CompanionEnrolment = Fairlead.Companion.Enrolment.KubernetesEnrolment;

namespace Fairlead.Tests.Gateway.Identity;

/// <summary>Both ends of an enrolment by kubeconfig, with the API server's real rules between them.</summary>
public sealed class KubernetesEnrolmentTests(KubernetesSpace space) : IClassFixture<KubernetesSpace>, IDisposable
{
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public void Dispose() => key.Dispose();

    [Fact]
    public async Task User_with_rbac_enrols_and_sees_exactly_the_namespaces_that_rbac_allows()
    {
        var bob = await space.UserAsync("bob", "devs");
        await space.LetConsumeAsync("bob", "shop");

        var enrolled = await EnrolAsync(bob);

        (enrolled.Subject, enrolled.Facts.SpaceName, enrolled.Facts.SpaceUid, enrolled.Facts.Namespace).ShouldBe(("k8s:bob", "team", space.Gateway.SpaceUid, "fairlead"));
        enrolled.Facts.Endpoints.ShouldBe([new GatewayEndpoint("gw.example.com", 443, 444)]);
        (enrolled.Facts.ApiPort, enrolled.Facts.DataPort).ShouldBe((space.Gateway.Ports.Api, space.Gateway.Ports.Data));
        (enrolled.NotAfter - DateTimeOffset.UtcNow).ShouldBeInRange(TimeSpan.FromHours(11.9), TimeSpan.FromHours(12));
        using var client = space.Client(enrolled.Certificate, enrolled.Authority, key);
        using var catalog = new StreamReader(await client.GetStreamAsync(GatewayApi.Catalog));
        (await ServicesAsync(catalog)).ShouldBe(["echo.shop"]);
    }

    [Fact]
    public async Task Grant_for_a_group_suffices_and_its_change_is_followed()
    {
        var carol = await space.UserAsync("carol", "testers");
        await space.ApplyAsync("""
            {"apiVersion":"fairlead.dev/v1alpha1","kind":"Grant","metadata":{"name":"testers","namespace":"fairlead"},"spec":{"subjects":["k8s-group:testers"],"rules":[{"namespaces":["other"]}]}}
            """);
        var enrolled = await GrantedAsync(carol);
        using var client = space.Client(enrolled.Certificate, enrolled.Authority, key);
        using var catalog = new StreamReader(await client.GetStreamAsync(GatewayApi.Catalog));
        (await ServicesAsync(catalog)).ShouldBe(["echo.other"]);

        await space.ApplyAsync("""
            {"apiVersion":"fairlead.dev/v1alpha1","kind":"Grant","metadata":{"name":"testers","namespace":"fairlead"},"spec":{"subjects":["k8s-group:testers"],"rules":[{"namespaces":["nowhere"]}]}}
            """);
        (await NextAsync(catalog, CatalogEventType.Delete).WaitAsync(Limit)).Service!.Namespace.ShouldBe("other");
    }

    [Fact]
    public async Task User_who_may_use_nothing_is_denied_and_told_what_would_help()
    {
        var error = await RefusalAsync(await space.UserAsync("dave"));

        error.Code.ShouldBe("enrolment-denied");
        error.Why!.ShouldContain("kubectl create rolebinding fairlead-consumer --clusterrole=fairlead-consumer --user=dave -n NAMESPACE");
    }

    [Fact]
    public async Task User_who_may_not_ask_is_told_every_missing_verb_and_the_role()
    {
        var error = await RefusalAsync(space.Stranger("erin"));

        error.Code.ShouldBe("enrolment-rights-missing");
        error.Why.ShouldBe("you may not create, get, watch certificatesigningrequests.certificates.k8s.io");
        error.Hint!.ShouldContain("--clusterrole=fairlead-user");
    }

    [Fact]
    public async Task User_whose_token_has_expired_is_told_to_log_in()
    {
        var error = await RefusalAsync(space.Admin.Connection with { BearerToken = "expired" });

        (error.Category, error.Code).ShouldBe((ErrorCategory.Denied, "cluster-login-needed"));
    }

    [Fact]
    public async Task Cluster_without_a_gateway_is_said_to_have_none()
    {
        await using var empty = new RunningServer();
        await empty.InitializeAsync();
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, empty.Server.AdminKubeconfig);
        var time = new ManualTime();
        using var client = new KubernetesClient(KubeConfig.Load(file), time);
        var enrolling = new CompanionEnrolment(time).EnrolAsync(client, Invites.Request(key, subject: ""), CancellationToken.None);
        while (await Task.WhenAny(enrolling, Task.Delay(50)) != enrolling)
        {
            time.Advance(TimeSpan.FromSeconds(1));
        }

        File.Delete(file);
        var error = (await Should.ThrowAsync<FairleadException>(enrolling)).Error;
        error.Code.ShouldBe("gateway-absent");
        error.Hint!.ShouldContain("fairlead gateway install");
    }

    [Fact]
    public async Task Forged_request_is_denied_with_a_condition_that_says_why()
    {
        await space.UserAsync("mallory");
        await space.LetConsumeAsync("mallory", "shop");
        using var mallory = new KubernetesClient(space.Stranger("mallory"));

        var named = await DecidedAsync(await mallory.CreateAsync(Resources.CertificateSigningRequests, Request(Invites.Request(key, "CN=k8s:admin"))));
        var used = await DecidedAsync(await mallory.CreateAsync(Resources.CertificateSigningRequests, Request(Invites.Request(key, ""), "server auth")));

        named.Status!.Conditions.Single().ShouldSatisfyAllConditions(c => c.Type.ShouldBe("Denied"), c => c.Reason.ShouldBe("ForgedName"), c => c.Message!.ShouldContain("CN=k8s:admin"));
        used.Status!.Conditions.Single().Reason.ShouldBe("WrongUsage");
    }

    [Fact]
    public async Task Forged_request_that_somebody_else_approved_is_not_signed()
    {
        var request = await space.Admin.CreateAsync(Resources.CertificateSigningRequests, Request(Invites.Request(key, "CN=k8s:admin"), "server auth"));
        request.Status = new CertificateSigningRequestStatus { Conditions = [new CertificateSigningRequestCondition { Type = "Approved", Reason = "Me" }] };
        try
        {
            await space.Admin.ReplaceSubresourceAsync(Resources.CertificateSigningRequests, request, "approval");
        }
        catch (KubernetesException e) when (e.IsConflict)
        {
            return; // The gateway was faster and denied it, which is as good.
        }

        var decided = await UntilAsync(request.Metadata.Name!, r => r.Status!.Conditions.Count > 1);
        decided.Status!.Conditions.Select(c => c.Type).ShouldBe(["Approved", "Failed"]);
        decided.Status.Certificate.ShouldBeNull();
    }

    [Fact]
    public async Task Request_for_another_signer_is_left_alone()
    {
        var foreign = Request(Invites.Request(key, ""));
        foreign.Spec.SignerName = "example.com/other";
        var created = await space.Admin.CreateAsync(Resources.CertificateSigningRequests, foreign);
        await DecidedAsync(await space.Admin.CreateAsync(Resources.CertificateSigningRequests, Request(Invites.Request(key, "CN=x"))));

        (await space.Admin.GetAsync(Resources.CertificateSigningRequests, null, created.Metadata.Name!))!.Status?.Conditions.ShouldBeEmpty();
    }

    [Fact]
    public async Task Flood_of_one_user_is_denied()
    {
        await space.UserAsync("frank");
        await space.LetConsumeAsync("frank", "shop");
        using var frank = new KubernetesClient(space.Stranger("frank"));
        var names = new List<string>();
        for (var i = 0; i < 45; i++)
        {
            names.Add((await frank.CreateAsync(Resources.CertificateSigningRequests, Request(Invites.Request(key, "")))).Metadata.Name!);
        }

        var reasons = new List<string?>();
        foreach (var name in names)
        {
            reasons.Add((await UntilAsync(name, r => r.Status?.Conditions.Count > 0)).Status!.Conditions[0].Reason);
        }

        // Those that are worked on at the same moment don't see each other decided.
        reasons.Count(r => r == "FairleadGateway").ShouldBeInRange(30, 38);
        reasons.ShouldAllBe(r => r == "FairleadGateway" || r == "TooManyRequests");
    }

    [Fact]
    public async Task Renewal_by_certificate_is_refused()
    {
        var grace = await space.UserAsync("grace");
        await space.LetConsumeAsync("grace", "shop");
        var enrolled = await EnrolAsync(grace);
        using var client = space.Client(enrolled.Certificate, enrolled.Authority, key);

        using var answer = await client.PostAsJsonAsync(GatewayApi.Renew, new RenewRequest(Invites.Request(key)), GatewayJson.Default.RenewRequest);

        ((int)answer.StatusCode).ShouldBe(403);
        (await answer.Content.ReadFromJsonAsync(GatewayJson.Default.ErrorResponse))!.Error.Code.ShouldBe("renewal-by-request");
    }

    [Fact]
    public async Task Revocation_ends_what_is_open_and_denies_new_requests_until_it_is_lifted()
    {
        var heidi = await space.UserAsync("heidi@example.com");
        await space.LetConsumeAsync("heidi@example.com", "shop");
        var enrolled = await EnrolAsync(heidi);
        using var client = space.Client(enrolled.Certificate, enrolled.Authority, key);
        using var catalog = new StreamReader(await client.GetStreamAsync(GatewayApi.Catalog));
        await ServicesAsync(catalog);

        await space.Administration.RevokeAsync(space.AdminCluster, "k8s:heidi@example.com", CancellationToken.None);
        await Should.ThrowAsync<IOException>(() => NextAsync(catalog, CatalogEventType.Draining).WaitAsync(Limit));
        var error = await RefusalAsync(heidi);
        error.Why!.ShouldStartWith("access of k8s:heidi@example.com was revoked");

        await space.Administration.LiftRevocationAsync(space.AdminCluster, "k8s:heidi@example.com", CancellationToken.None);
        (await EnrolAsync(heidi)).Subject.ShouldBe("k8s:heidi@example.com");
    }

    private async Task<EnrolmentAnswer> EnrolAsync(ClusterConnection user)
    {
        using var client = new KubernetesClient(user);
        var (certificates, facts) = await new CompanionEnrolment(TimeProvider.System).EnrolAsync(client, Invites.Request(key, subject: ""), CancellationToken.None).WaitAsync(Limit);
        return EnrolmentAnswer.Read(certificates, facts, key.ExportSubjectPublicKeyInfo());
    }

    /// <summary>Once the gateway has heard of the Grant.</summary>
    private async Task<EnrolmentAnswer> GrantedAsync(ClusterConnection user)
    {
        for (var patience = Soon; ; patience.ThrowIfCancellationRequested())
        {
            try
            {
                return await EnrolAsync(user);
            }
            catch (FairleadException e) when (e.Error.Code == "enrolment-denied")
            {
            }
        }
    }

    private async Task<ErrorInfo> RefusalAsync(ClusterConnection user) => (await Should.ThrowAsync<FairleadException>(EnrolAsync(user))).Error;

    private Task<CertificateSigningRequest> DecidedAsync(CertificateSigningRequest request) => UntilAsync(request.Metadata.Name!, r => r.Status?.Conditions.Count > 0);

    private async Task<CertificateSigningRequest> UntilAsync(string name, Predicate<CertificateSigningRequest> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            var request = (await space.Admin.GetAsync(Resources.CertificateSigningRequests, null, name, limit.Token))!;
            if (condition(request))
            {
                return request;
            }

            await Task.Delay(10, limit.Token);
        }
    }

    private static CertificateSigningRequest Request(string pem, string usage = "client auth") => new()
    {
        Metadata = { GenerateName = "test-" },
        Spec = { Request = Encoding.ASCII.GetBytes(pem), SignerName = "fairlead.dev/client", Usages = [usage] },
    };

    private static async Task<IReadOnlyList<string>> ServicesAsync(StreamReader catalog)
    {
        var services = new List<string>();
        while (true)
        {
            var next = await ReadAsync(catalog);
            if (next.Type == CatalogEventType.Synced)
            {
                return services;
            }

            if (next.Service is { } service)
            {
                services.Add($"{service.Name}.{service.Namespace}");
            }
        }
    }

    private static async Task<CatalogEvent> NextAsync(StreamReader catalog, CatalogEventType type)
    {
        while (true)
        {
            if (await ReadAsync(catalog) is var next && next.Type == type)
            {
                return next;
            }
        }
    }

    private static async Task<CatalogEvent> ReadAsync(StreamReader catalog) =>
        JsonSerializer.Deserialize(await catalog.ReadLineAsync().WaitAsync(Limit) ?? throw new EndOfStreamException(), GatewayJson.Default.CatalogEvent)!;
}
