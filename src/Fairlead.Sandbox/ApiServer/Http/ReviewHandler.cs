using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>The questions about identity and rights that are asked by creating an object, which isn't kept.</summary>
internal sealed class ReviewHandler(Authorizer authorizer, TokenIssuer tokens)
{
    public async Task HandleAsync(HttpContext context, ResourceKind kind, ApiRequest request, User user)
    {
        var review = await context.Request.ReadObjectAsync(context.RequestAborted);
        review["apiVersion"] = kind.ApiVersion;
        review["kind"] = kind.Kind;
        review.Metadata();
        var spec = review.Map("spec") ?? [];
        if (kind.Namespaced && spec.Text("resourceAttributes", "namespace") != request.Namespace)
        {
            throw Failures.BadRequest($"spec.resourceAttributes.namespace must match namespace: {request.Namespace}");
        }

        review["status"] = kind.Kind switch
        {
            "TokenReview" => ReviewToken(spec),
            "SelfSubjectReview" => new JsonObject { ["userInfo"] = Describe(user) },
            "SelfSubjectAccessReview" => ReviewAccess(user, spec),
            "SelfSubjectRulesReview" => Rules(user, spec.Text("namespace")),
            _ => ReviewAccess(Subject(kind, spec), spec),
        };
        await context.Response.ReplyAsync(201, review, context.RequestAborted);
    }

    private JsonObject ReviewToken(JsonObject spec)
    {
        string[] audiences = [.. spec.Texts("audiences")];
        if (tokens.Verify(spec.Text("token") ?? "", audiences) is not { } verified)
        {
            return new JsonObject { ["user"] = new JsonObject(), ["error"] = "invalid bearer token" };
        }

        return new JsonObject
        {
            ["authenticated"] = true,
            ["user"] = Describe(verified.User),
            ["audiences"] = new JsonArray([.. verified.Audiences.Select(audience => JsonValue.Create(audience))]),
        };
    }

    private JsonObject ReviewAccess(User user, JsonObject spec)
    {
        var attributes = spec.Map("resourceAttributes");
        var path = spec.Map("nonResourceAttributes");
        if (attributes is null == path is null)
        {
            throw new StatusException(422, "Invalid", "spec: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified");
        }

        var access = path is not null
            ? new AccessRequest(path.Text("verb") ?? "") { Path = path.Text("path") ?? "" }
            : new AccessRequest(attributes.Text("verb") ?? "")
            {
                Group = attributes.Text("group") ?? "",
                Resource = attributes.Text("resource") ?? "",
                Subresource = attributes.Text("subresource") ?? "",
                Namespace = attributes.Text("namespace") is { Length: > 0 } @namespace ? @namespace : null,
                Name = attributes.Text("name") ?? "",
            };
        return new JsonObject { ["allowed"] = authorizer.Allows(user, access) };
    }

    private JsonObject Rules(User user, string? @namespace)
    {
        var rules = authorizer.RulesFor(user, @namespace).ToList();
        if (user.Groups.Contains(User.MastersGroup))
        {
            rules.Add(new JsonObject { ["verbs"] = new JsonArray("*"), ["apiGroups"] = new JsonArray("*"), ["resources"] = new JsonArray("*") });
            rules.Add(new JsonObject { ["verbs"] = new JsonArray("*"), ["nonResourceURLs"] = new JsonArray("*") });
        }

        return new JsonObject
        {
            ["resourceRules"] = new JsonArray([.. rules.Where(rule => rule["resources"] is not null).Select(rule => rule.DeepClone())]),
            ["nonResourceRules"] = new JsonArray([.. rules.Where(rule => rule["nonResourceURLs"] is not null).Select(rule => rule.DeepClone())]),
            ["incomplete"] = false,
        };
    }

    private static User Subject(ResourceKind kind, JsonObject spec)
    {
        var user = new User(spec.Text("user") ?? "", [.. spec.Texts("groups")]);
        return user.Name.Length > 0 || user.Groups.Count > 0
            ? user
            : throw new StatusException(422, "Invalid", $"{kind.Kind}.{kind.Id.Group} \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or group must be specified");
    }

    private static JsonObject Describe(User user)
    {
        var result = new JsonObject
        {
            ["username"] = user.Name,
            ["groups"] = new JsonArray([.. user.Groups.Select(group => JsonValue.Create(group))]),
        };
        if (user.Uid.Length > 0)
        {
            result["uid"] = user.Uid;
        }

        foreach (var (key, value) in user.Extra)
        {
            result.Ensure("extra")[key] = new JsonArray(value);
        }

        return result;
    }
}
