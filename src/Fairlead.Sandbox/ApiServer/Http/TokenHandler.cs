using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>TokenRequest: <c>kubectl create token</c>, and what a kubelet does for its pods.</summary>
internal sealed class TokenHandler(IObjectStore store, TokenIssuer issuer)
{
    private const long DefaultSeconds = 3600;
    private const long ShortestSeconds = 600;

    public async Task HandleAsync(HttpContext context, ApiRequest request)
    {
        var body = await context.Request.ReadObjectAsync(context.RequestAborted);
        var account = store.Get(BuiltInKinds.ServiceAccounts, request.Namespace, request.Name)
            ?? throw Failures.NotFound(BuiltInKinds.ServiceAccounts, request.Name);
        var seconds = body.Number("spec", "expirationSeconds") ?? DefaultSeconds;
        if (seconds < ShortestSeconds)
        {
            throw new StatusException(
                422,
                "Invalid",
                $"TokenRequest.authentication.k8s.io \"{request.Name}\" is invalid: spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration less than 10 minutes");
        }

        string[] audiences = [.. body.Texts("spec", "audiences")];
        var (token, expires) = issuer.Issue(account, BoundPod(body, request), audiences, TimeSpan.FromSeconds(Math.Min(seconds, uint.MaxValue)));
        body["kind"] = "TokenRequest";
        body["apiVersion"] = "authentication.k8s.io/v1";
        body.Metadata()["name"] = request.Name;
        body.Metadata()["namespace"] = request.Namespace;
        body.Ensure("spec")["expirationSeconds"] = seconds;
        body.Ensure("spec")["audiences"] = new JsonArray([.. audiences.DefaultIfEmpty(TokenIssuer.Issuer).Select(audience => JsonValue.Create(audience))]);
        body["status"] = new JsonObject { ["token"] = token, ["expirationTimestamp"] = expires.ToTimestamp() };
        await context.Response.ReplyAsync(201, body, context.RequestAborted);
    }

    private JsonObject? BoundPod(JsonObject body, ApiRequest request)
    {
        if (body.Map("spec", "boundObjectRef") is not { } reference)
        {
            return null;
        }

        if (reference.Text("kind") != "Pod")
        {
            throw Failures.BadRequest($"cannot bind token for serviceaccount \"{request.Name}\" to a {reference.Text("kind")}: the sandbox binds to pods only");
        }

        var name = reference.Text("name") ?? "";
        var pod = store.Get(BuiltInKinds.Pods, request.Namespace, name) ?? throw Failures.NotFound(BuiltInKinds.Pods, name);
        if (reference.Text("uid") is { Length: > 0 } uid && uid != pod.Uid())
        {
            throw Failures.Conflict(BuiltInKinds.Pods, name, $"the UID in the bound object reference ({uid}) does not match the UID in record ({pod.Uid()})");
        }

        return pod;
    }
}
