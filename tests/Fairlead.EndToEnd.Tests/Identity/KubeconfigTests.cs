using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Identity;

/// <summary>People who join with their kubeconfig, as unprivileged users of their laptop.</summary>
public sealed class KubeconfigTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task User_with_a_role_binding_joins_consumes_and_loses_it_with_the_binding()
    {
        var (laptop, bob) = await NewUserAsync("bob");
        try
        {
            await bob.LetConsumeAsync("shop");
            (await bob.JoinAsync()).Text.ShouldContain($"as {bob.Subject}");
            (await bob.PluginRanAsAsync()).ShouldAllBe(uid => uid == $"{bob.Uid}");
            (await bob.FairleadAsync("consume", "shop/*")).ShouldSucceed();
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();

            (await bob.FairleadAsync("space", "show")).Text.ShouldSatisfyAllConditions(s => s.ShouldContain("May consume          shop\n"), s => s.ShouldNotContain("May attach"));
            await bob.BindAsync("fairlead-attacher", "shop");
            await Shell.EventuallyAsync("the right to attach is told", async () => (await bob.FairleadAsync("space", "show")).Text.Contains("May attach           shop\n"));

            using var held = laptop.Host.Start("bash", "-c", "exec 3<>/dev/tcp/echo.shop/7; echo open; cat <&3; echo closed");
            (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("open");
            await bob.ForbidConsumingAsync("shop");
            var clock = Stopwatch.StartNew();
            (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(40))).ShouldBe("closed");
            clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30));
            await Shell.EventuallyAsync("the names are gone", async () => !(await laptop.Host.ReadAsync("/etc/hosts")).Contains("frontend.shop"));
        }
        finally
        {
            await bob.RemoveAsync();
        }
    }

    [Fact]
    public async Task User_named_in_a_grant_joins_without_a_role_and_is_ended_by_a_revocation()
    {
        var (laptop, carol) = await NewUserAsync("carol");
        try
        {
            await Cluster.ApplyAsync($$"""
                apiVersion: fairlead.dev/v1alpha1
                kind: Grant
                metadata: { name: carol, namespace: fairlead }
                spec: { subjects: [ "{{carol.Subject}}" ], rules: [ { namespaces: [ shop ], services: [ echo ] } ] }
                """);
            (await carol.JoinAsync()).ShouldSucceed();
            (await carol.FairleadAsync("services", "list", "-o", "json")).Text.ShouldSatisfyAllConditions(s => s.ShouldContain("echo"), s => s.ShouldNotContain("frontend"));
            (await carol.FairleadAsync("consume", "shop/*")).ShouldSucceed();
            using var held = laptop.Host.Start("bash", "-c", "exec 3<>/dev/tcp/echo.shop/7; echo open; cat <&3; echo closed");
            (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("open");

            (await Cluster.FairleadAsync(["space", "revoke", carol.Subject, "--kubeconfig", Cluster.Kubeconfig])).ShouldSucceed();
            var clock = Stopwatch.StartNew();
            (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("closed");
            clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5), "it is told, not noticed by the next heartbeat");

            (await carol.JoinAsync()).ShouldFail(4).Error.ShouldContain("was revoked");
            (await Cluster.FairleadAsync(["space", "revoke", "--undo", carol.Subject, "--kubeconfig", Cluster.Kubeconfig])).ShouldSucceed();
            await carol.LetConsumeAsync("shop");
            (await carol.JoinAsync()).ShouldSucceed();
        }
        finally
        {
            await carol.RemoveAsync();
            await Cluster.KubectlAsync("delete", "grant", "carol", "-n", "fairlead");
        }
    }

    [Fact]
    public async Task User_without_rights_is_told_what_is_missing_and_what_gives_it()
    {
        var (_, dave) = await NewUserAsync("dave", mayEnrol: false);
        try
        {
            await dave.LogInAsync("expired");
            (await dave.JoinAsync()).ShouldFail(4).Error.ShouldContain("Log in to the cluster");

            await dave.LogInAsync(await dave.NewTokenAsync());
            var stranger = (await dave.JoinAsync()).ShouldFail(4);
            stranger.Error.ShouldContain("create, get, watch certificatesigningrequests");
            stranger.Error.ShouldContain("fairlead-user");

            await dave.LetEnrolAsync();
            (await dave.JoinAsync()).ShouldFail(4).Error.ShouldContain($"--clusterrole=fairlead-consumer --user={dave.Account}");

            (await dave.FairleadAsync("join", "--kubeconfig", dave.Kubeconfig, "--context", "elsewhere")).ShouldFail(3).Error.ShouldContain("It has here");
        }
        finally
        {
            await dave.RemoveAsync();
        }
    }

    [Theory]
    [InlineData("forged-name", "/CN=k8s:somebody-else", "client auth", "ForgedName")]
    [InlineData("forged-server", "/", "server auth", "WrongUsage")]
    public async Task Forged_request_is_denied_and_is_not_signed_by_hand_either(string name, string subject, string usage, string reason)
    {
        await RequestAsync(name, subject, "fairlead.dev/client", usage);
        try
        {
            await Shell.EventuallyAsync("it is denied", async () => (await Cluster.KubectlAsync("get", "csr", name, "--no-headers")).Text.Contains("Denied"));
            (await Cluster.KubectlAsync("get", "csr", name, "-o", "jsonpath={.status.conditions[0].reason}")).Text.ShouldBe(reason);
            (await Cluster.KubectlAsync("certificate", "approve", name)).ExitCode.ShouldNotBe(0);
            (await Cluster.KubectlAsync("get", "csr", name, "-o", "jsonpath={.status.certificate}")).Text.ShouldBeEmpty();
        }
        finally
        {
            await Cluster.KubectlAsync("delete", "csr", name);
        }
    }

    [Fact]
    public async Task Request_for_another_signer_is_left_alone_and_the_gateway_could_not_decide_it()
    {
        await RequestAsync("foreign", "/", "example.com/other", "client auth");
        await RequestAsync("after-foreign", "/CN=x", "fairlead.dev/client", "client auth");
        try
        {
            await Shell.EventuallyAsync("the later one is denied", async () => (await Cluster.KubectlAsync("get", "csr", "after-foreign", "--no-headers")).Text.Contains("Denied"));
            (await Cluster.KubectlAsync("get", "csr", "foreign", "-o", "jsonpath={.status}")).Text.ShouldBeOneOf("", "{}");
            foreach (var (verb, signer, may) in new[] { ("approve", "fairlead.dev/client", "true"), ("sign", "fairlead.dev/client", "true"), ("approve", "example.com/other", "false"), ("sign", "kubernetes.io/kube-apiserver-client", "false") })
            {
                (await Cluster.Host.ShellAsync($$"""
                    kubectl --kubeconfig {{Cluster.Kubeconfig}} create -o 'jsonpath={.status.allowed}' -f - <<END
                    apiVersion: authorization.k8s.io/v1
                    kind: SubjectAccessReview
                    spec:
                      user: system:serviceaccount:fairlead:fairlead-gateway
                      groups: [ system:serviceaccounts, system:serviceaccounts:fairlead, system:authenticated ]
                      resourceAttributes: { group: certificates.k8s.io, resource: signers, verb: {{verb}}, name: {{signer}} }
                    END
                    """)).Text.ShouldBe(may, $"{verb} {signer}");
            }
        }
        finally
        {
            await Cluster.KubectlAsync("delete", "csr", "foreign", "after-foreign");
        }
    }

    private async Task RequestAsync(string name, string subject, string signer, string usage) => (await Cluster.Host.ShellAsync($$"""
        set -e
        cd /var/tmp
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {{name}}.key -subj "{{subject}}" -out {{name}}.csr 2>/dev/null
        kubectl --kubeconfig {{Cluster.Kubeconfig}} apply -f - <<END
        apiVersion: certificates.k8s.io/v1
        kind: CertificateSigningRequest
        metadata: { name: {{name}}, labels: { {{Cluster.OwnLabelYaml}} } }
        spec:
          signerName: {{signer}}
          usages: [ {{usage}} ]
          request: $(base64 -w0 {{name}}.csr)
        END
        """)).ShouldSucceed();

    private async Task<(Laptop Laptop, ClusterUser User)> NewUserAsync(string name, bool mayEnrol = true)
    {
        var laptop = await NewLaptopAsync();
        return (laptop, await ClusterUser.CreateAsync(Cluster, laptop, name, mayEnrol));
    }
}
