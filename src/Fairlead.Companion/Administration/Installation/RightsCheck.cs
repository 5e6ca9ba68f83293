using System.Text.Json.Nodes;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>Asks beforehand whether the user may do all that is coming, so that nothing is left half done for lack of a right, and all lacks are told at once.</summary>
internal static class RightsCheck
{
    public static readonly IReadOnlyList<string> Install = ["get", "create", "patch"];
    public static readonly IReadOnlyList<string> Uninstall = ["get", "delete"];

    /// <exception cref="FairleadException">Names each verb that is missing, and the role that gives it.</exception>
    public static async Task RequireAsync(PatientCluster cluster, IEnumerable<ObjectReference> objects, IReadOnlyList<string> verbs, string what, CancellationToken cancellationToken)
    {
        var wanted = objects.Select(o => (o.Group, o.Plural, o.Namespace)).Distinct().SelectMany(r => verbs.Select(verb => (Verb: verb, r.Group, r.Plural, r.Namespace))).ToList();
        var answers = await Task.WhenAll(wanted.Select(w => cluster.AskAsync(client => AllowsAsync(client, w, cancellationToken), cancellationToken)));
        var missing = wanted.Where((_, i) => !answers[i]).ToList();
        if (missing.Count == 0)
        {
            return;
        }

        var named = missing.GroupBy(m => (m.Group, m.Plural, m.Namespace)).Select(g =>
            $"{string.Join(", ", g.Select(m => m.Verb))} {g.Key.Plural}{(g.Key.Group.Length > 0 ? "." + g.Key.Group : "")}{(g.Key.Namespace is { } ns ? $" in namespace {ns}" : "")}");
        throw new FairleadException(
            ErrorCategory.Denied,
            "cluster-rights-missing",
            $"Your rights in the cluster do not suffice to {what}",
            "you may not " + string.Join("; ", named),
            missing.Exists(m => m.Namespace is null)
                ? "The ClusterRole cluster-admin gives them: ask whoever has it to do this, or choose another --context."
                : "The ClusterRole admin gives them, bound in the namespace: ask whoever has it, or choose another --context.");
    }

    private static async Task<bool> AllowsAsync(KubernetesClient client, (string Verb, string Group, string Plural, string? Namespace) wanted, CancellationToken cancellationToken)
    {
        var attributes = new JsonObject { ["verb"] = wanted.Verb, ["group"] = wanted.Group, ["resource"] = wanted.Plural };
        if (wanted.Namespace is not null)
        {
            attributes["namespace"] = wanted.Namespace;
        }

        var review = await client.PostJsonAsync("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", new JsonObject
        {
            ["apiVersion"] = "authorization.k8s.io/v1",
            ["kind"] = "SelfSubjectAccessReview",
            ["spec"] = new JsonObject { ["resourceAttributes"] = attributes },
        }, cancellationToken);
        return review?["status"]?["allowed"]?.GetValue<bool>() == true;
    }
}
