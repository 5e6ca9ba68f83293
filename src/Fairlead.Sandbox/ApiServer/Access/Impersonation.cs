using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>Acting as somebody else (<c>kubectl --as</c>), for those whom RBAC lets: <c>Impersonate-User</c>, <c>Impersonate-Group</c>.</summary>
internal static class Impersonation
{
    private const string AccountPrefix = "system:serviceaccount:";

    /// <exception cref="StatusException">403: not allowed.</exception>
    public static User Apply(HttpRequest request, User user, Authorizer authorizer)
    {
        if (request.Headers.Keys.Any(header => header.StartsWith("Impersonate-Extra-", StringComparison.OrdinalIgnoreCase)) || request.Headers.ContainsKey("Impersonate-Uid"))
        {
            throw Failures.NotImplemented("the sandbox impersonates users and groups, not uids and extra values");
        }

        var name = request.Headers["Impersonate-User"].ToString();
        string[] groups = [.. request.Headers["Impersonate-Group"].OfType<string>()];
        if (name.Length == 0)
        {
            return groups.Length == 0 ? user : throw Failures.BadRequest("Impersonate-Group needs Impersonate-User");
        }

        if (name.StartsWith(AccountPrefix) && name[AccountPrefix.Length..].Split(':') is [var @namespace, var account])
        {
            Require(user, "serviceaccounts", account, @namespace, authorizer);
            var known = User.ServiceAccount(@namespace, account);
            groups = groups.Length == 0 ? [.. known.Groups] : groups;
        }
        else
        {
            Require(user, "users", name, null, authorizer);
        }

        foreach (var group in request.Headers["Impersonate-Group"].OfType<string>())
        {
            Require(user, "groups", group, null, authorizer);
        }

        return new User(name, [.. groups.Append(User.AuthenticatedGroup).Distinct()]);
    }

    private static void Require(User user, string resource, string name, string? @namespace, Authorizer authorizer)
    {
        var access = new AccessRequest("impersonate") { Resource = resource, Name = name, Namespace = @namespace };
        if (!authorizer.Allows(user, access))
        {
            var where = @namespace is null ? "at the cluster scope" : $"in the namespace \"{@namespace}\"";
            throw Failures.Forbidden(
                new ResourceId("", "", resource), name, $"User \"{user.Name}\" cannot impersonate resource \"{resource}\" in API group \"\" {where}");
        }
    }
}
