using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Http;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>The body of an apply request: YAML by its media type, which JSON is too; clients send JSON.</summary>
internal static class ApplyBody
{
    public static async Task<JsonObject> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var body = await request.ReadAllAsync(cancellationToken);
        try
        {
            return JsonText.Parse(body) as JsonObject ?? throw Failures.BadRequest("an applied configuration is an object");
        }
        catch (JsonException)
        {
            throw Failures.BadRequest("the sandbox takes applied configurations in JSON only, not in other YAML");
        }
    }
}
