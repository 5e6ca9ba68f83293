using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>The query parameters that every write has: <c>dryRun</c> and <c>fieldValidation</c>.</summary>
internal static class WriteQuery
{
    public static WriteOptions Of(HttpContext context, ResourceKind kind, bool dryRun = false)
    {
        var query = context.Request.Query;
        var asked = query["dryRun"].ToString();
        if (asked is not ("" or "All"))
        {
            throw Failures.BadRequest($"dryRun: Unsupported value: \"{asked}\": supported values: \"All\"");
        }

        return new WriteOptions(
            dryRun || asked == "All", unknown => Report(context, kind, query["fieldValidation"].ToString(), unknown), context.Features.Get<User>());
    }

    /// <summary>Fields that a custom resource's schema doesn't name are refused, told or dropped in silence, as the client wants.</summary>
    private static void Report(HttpContext context, ResourceKind kind, string mode, IReadOnlyList<string> unknown)
    {
        if (mode == "Strict")
        {
            var fields = string.Join(", ", unknown.Select(field => $"unknown field \"{field}\""));
            throw Failures.BadRequest($"{kind.Kind} in version \"{kind.Id.Version}\" cannot be handled as a {kind.Kind}: strict decoding error: {fields}");
        }

        if (mode != "Ignore")
        {
            foreach (var field in unknown)
            {
                context.Response.Warn($"unknown field \"{field}\"");
            }
        }
    }
}
