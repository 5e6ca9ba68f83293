using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Identity;

/// <summary>
/// A person with an account in the cluster (a service account, whose token is easily had), and an unprivileged user on a laptop, whose kubeconfig logs in
/// by an exec plugin that leaves behind as whom it ran.
/// </summary>
internal sealed class ClusterUser(Cluster cluster, Laptop laptop, string name, int uid)
{
    /// <summary>With the person's account, and nobody else's.</summary>
    private string Namespace => "people-" + name;

    /// <summary>Below /var, which is the test's own.</summary>
    private string Home => $"/var/{name}";

    public string Account => $"system:serviceaccount:{Namespace}:{name}";

    public string Subject => $"k8s:{Account}";

    public string Kubeconfig => $"{Home}/kubeconfig";

    /// <param name="mayEnrol">Whether ClusterRole fairlead-user is bound.</param>
    public static async Task<ClusterUser> CreateAsync(Cluster cluster, Laptop laptop, string name, bool mayEnrol = true)
    {
        var user = new ClusterUser(cluster, laptop, name, 4000 + laptop.Number);
        await cluster.CreateNamespaceAsync(user.Namespace);
        (await cluster.KubectlAsync("create", "serviceaccount", name, "-n", user.Namespace)).ShouldSucceed();
        if (mayEnrol)
        {
            await user.LetEnrolAsync();
        }

        var server = (await cluster.KubectlAsync("config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster}")).Text;
        (await laptop.Host.RunAsync("install", "-d", "-o", $"{user.Uid}", user.Home)).ShouldSucceed();
        await laptop.Host.WriteAsync($"{user.Home}/plugin", $$"""
            #!/bin/sh
            id -u >> {{user.Home}}/ran-as
            printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"} }' "$(cat {{user.Home}}/token)"
            """);
        await laptop.Host.WriteAsync(user.Kubeconfig, $$"""
            apiVersion: v1
            kind: Config
            current-context: here
            clusters: [ { name: here, cluster: {{server}} } ]
            contexts: [ { name: here, context: { cluster: here, user: {{name}} } } ]
            users:
            - name: {{name}}
              user:
                exec: { apiVersion: client.authentication.k8s.io/v1, command: {{user.Home}}/plugin, interactiveMode: Never }
            """);
        (await laptop.Host.RunAsync("chmod", "755", $"{user.Home}/plugin")).ShouldSucceed();
        await user.LogInAsync(await user.NewTokenAsync());
        return user;
    }

    public int Uid => uid;

    public async Task<string> NewTokenAsync() => (await cluster.KubectlAsync("create", "token", name, "-n", Namespace)).Text;

    /// <summary>What the plugin gives from now on; the companion asks it again when what it gave before is refused.</summary>
    public Task LogInAsync(string token) => laptop.Host.WriteAsync($"{Home}/token", token);

    public async Task<string[]> PluginRanAsAsync() => (await laptop.Host.ReadAsync($"{Home}/ran-as")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public Task LetEnrolAsync() => cluster.ApplyAsync($$"""
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: { name: user-{{name}}, labels: { {{Cluster.OwnLabelYaml}} } }
        roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: fairlead-user }
        subjects: [ { kind: ServiceAccount, name: {{name}}, namespace: {{Namespace}} } ]
        """);

    public Task LetConsumeAsync(string ns) => BindAsync("fairlead-consumer", ns);

    /// <summary>By the Role that the gateway's install ships for those who reach it only through the API server.</summary>
    public async Task LetForwardAsync() => (await cluster.KubectlAsync(
        "create", "rolebinding", $"user-{name}", "-n", "fairlead", "--role=fairlead-user", $"--serviceaccount={Namespace}:{name}")).ShouldSucceed();

    /// <summary>Joins, and consumes all that is in these namespaces, on a laptop that reaches nothing but the API server.</summary>
    public async Task JoinByPortForwardAsync(params string[] namespaces)
    {
        await laptop.ShutGatewayPortsAsync();
        foreach (var ns in namespaces)
        {
            await LetConsumeAsync(ns);
        }

        await LetForwardAsync();
        (await JoinAsync()).ShouldSucceed();
        await CarrierBecomesAsync("port-forward");
        (await FairleadAsync(["consume", .. namespaces.Select(ns => $"{ns}/*")])).ShouldSucceed();
    }

    public async Task CarrierBecomesAsync(string carrier, TimeSpan? limit = null) => await Shell.EventuallyAsync(
        $"the carrier is {carrier}", async () => (await FairleadAsync("space", "show")).Output.Contains($"Carrier              {carrier}", StringComparison.Ordinal), limit);

    public async Task ForbidConsumingAsync(string ns) => (await cluster.KubectlAsync("delete", "rolebinding", $"fairlead-consumer-{name}", "-n", ns)).ShouldSucceed();

    public async Task BindAsync(string clusterRole, string ns) => (await cluster.KubectlAsync(
        "create", "rolebinding", $"{clusterRole}-{name}", "-n", ns, $"--clusterrole={clusterRole}", $"--serviceaccount={Namespace}:{name}")).ShouldSucceed();

    /// <summary>As that user of the laptop, without any privilege.</summary>
    public Task<Outcome> FairleadAsync(params string[] arguments) => laptop.Host.RunAsync(
        ["setpriv", "--reuid", $"{Uid}", "--regid", $"{Uid}", "--clear-groups", "--no-new-privs", "env", "-u", "SUDO_UID", "-u", "XDG_RUNTIME_DIR", "-u", "XDG_STATE_HOME", $"HOME={Home}", Programs.Fairlead, .. arguments], environment: laptop.Environment);

    public Task<Outcome> JoinAsync() => FairleadAsync("join", "--kubeconfig", Kubeconfig);

    public async Task RemoveAsync()
    {
        await cluster.RemoveNamespaceAsync(Namespace);
        await cluster.KubectlAsync("delete", "clusterrolebinding", $"user-{name}");
        await cluster.KubectlAsync("delete", "rolebinding", $"fairlead-consumer-{name}", $"fairlead-attacher-{name}", "-n", "shop", "--ignore-not-found");
        await cluster.KubectlAsync("delete", "rolebinding", $"user-{name}", "-n", "fairlead", "--ignore-not-found");
    }
}
