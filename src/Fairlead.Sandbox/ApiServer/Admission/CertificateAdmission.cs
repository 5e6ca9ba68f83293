using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>
/// What is particular to writing a CertificateSigningRequest: who asks is said by the server, what was asked can't be changed, and deciding and
/// signing take a right on the signer besides the one on the subresource
/// (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/).
/// </summary>
internal sealed class CertificateAdmission(Authorizer authorizer, TimeProvider time)
{
    private const string MastersSigner = "kubernetes.io/kube-apiserver-client";

    private static readonly string[] Decisions = ["Approved", "Denied"];

    /// <param name="value">Modified: it says who asks.</param>
    /// <param name="requester">Null: the cluster itself.</param>
    /// <exception cref="StatusException">403: it asks to be an administrator.</exception>
    public static void AdmitNew(JsonObject value, User? requester)
    {
        var spec = value.Ensure("spec");
        foreach (var field in (ReadOnlySpan<string>)["username", "uid", "groups", "extra"])
        {
            spec.Remove(field);
        }

        if (requester is not null)
        {
            Describe(spec, requester);
        }

        if (spec.Text("signerName") == MastersSigner && SigningRequests.Organizations(spec.Text("request")).Contains(User.MastersGroup))
        {
            throw Failures.Forbidden(
                BuiltInKinds.CertificateSigningRequests, value.Name(), $"use of {MastersSigner} signer with {User.MastersGroup} group is not allowed");
        }
    }

    /// <param name="value">As sent; modified: it keeps what this way of writing may not change.</param>
    /// <param name="old">What it replaces.</param>
    /// <param name="subresource">Null, "approval" or "status".</param>
    /// <param name="requester">Null: the cluster itself.</param>
    /// <exception cref="StatusException">403: no right on the signer.</exception>
    public void AdmitUpdate(JsonObject value, JsonObject old, string? subresource, User? requester)
    {
        value["spec"] = old["spec"]?.DeepClone();
        var (before, after) = (old.Map("status") ?? [], value.Map("status") ?? []);
        switch (subresource)
        {
            case null:
                after = before.Clone();
                break;
            case "approval":
                var conditions = after["conditions"]?.DeepClone();
                after = before.Clone();
                after["conditions"] = conditions;
                Require(requester, "approve", old);
                break;
            default:
                KeepDecisions(after, before);
                if (!JsonNode.DeepEquals(before["certificate"], after["certificate"]) || !JsonNode.DeepEquals(before["conditions"], after["conditions"]))
                {
                    Require(requester, "sign", old);
                }

                break;
        }

        Stamp(after, before);
        value["status"] = after.DeepClone();
    }

    private static void Describe(JsonObject spec, User requester)
    {
        spec["username"] = requester.Name;
        spec["groups"] = new JsonArray([.. requester.Groups.Select(group => JsonValue.Create(group))]);
        if (requester.Uid.Length > 0)
        {
            spec["uid"] = requester.Uid;
        }

        foreach (var (key, value) in requester.Extra)
        {
            spec.Ensure("extra")[key] = new JsonArray(value);
        }
    }

    /// <summary>A right on the signer, or on all of its domain.</summary>
    private void Require(User? requester, string verb, JsonObject request)
    {
        var signer = request.Text("spec", "signerName") ?? "";
        var domain = $"{signer.Split('/')[0]}/*";
        if (requester is not null && !Allows(signer) && !Allows(domain))
        {
            throw Failures.Forbidden(
                BuiltInKinds.CertificateSigningRequests, request.Name(), $"user not permitted to {verb} requests with signerName \"{signer}\"");
        }

        bool Allows(string name) => authorizer.Allows(requester!, new AccessRequest(verb) { Group = "certificates.k8s.io", Resource = "signers", Name = name });
    }

    /// <summary>Who may write the status may decide nothing: a decision that is there in equal number stays as it was; validation refuses the rest.</summary>
    private static void KeepDecisions(JsonObject after, JsonObject before)
    {
        foreach (var type in Decisions)
        {
            var (old, now) = (Of(before, type), Of(after, type));
            if (old.Count == now.Count)
            {
                foreach (var (kept, given) in old.Zip(now))
                {
                    given.ReplaceWith(kept.DeepClone());
                }
            }
        }

        static List<JsonObject> Of(JsonObject status, string type) => [.. status.Maps("conditions").Where(condition => condition.Text("type") == type)];
    }

    private void Stamp(JsonObject after, JsonObject before)
    {
        var now = time.GetUtcNow().ToTimestamp();
        foreach (var condition in after.Maps("conditions"))
        {
            var old = before.Maps("conditions").FirstOrDefault(one => one.Text("type") == condition.Text("type") && one.Text("status") == condition.Text("status"));
            condition.Default("lastUpdateTime", now);
            condition.Default("lastTransitionTime", old.Text("lastTransitionTime") ?? now);
        }
    }
}
