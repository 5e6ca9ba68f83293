using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>The failures of the API with the codes, reasons and sentences that clients and people know from Kubernetes.</summary>
internal static class Failures
{
    public static StatusException NotFound(ResourceId resource, string name) =>
        new(404, "NotFound", $"{Qualified(resource)} \"{name}\" not found") { Details = About(resource, name) };

    public static StatusException AlreadyExists(ResourceId resource, string name) =>
        new(409, "AlreadyExists", $"{Qualified(resource)} \"{name}\" already exists") { Details = About(resource, name) };

    public static StatusException Conflict(ResourceId resource, string name, string? why = null) =>
        new(
            409,
            "Conflict",
            $"Operation cannot be fulfilled on {Qualified(resource)} \"{name}\": "
                + (why ?? "the object has been modified; please apply your changes to the latest version and try again"))
        {
            Details = About(resource, name),
        };

    public static StatusException Forbidden(ResourceId resource, string name, string why) =>
        new(403, "Forbidden", $"{Qualified(resource)} {(name.Length == 0 ? "" : $"\"{name}\" ")}is forbidden: {why}") { Details = About(resource, name) };

    public static StatusException BadRequest(string message) => new(400, "BadRequest", message);

    public static StatusException Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static StatusException NoSuchPath() => new(404, "NotFound", "the server could not find the requested resource") { Details = [] };

    public static StatusException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource") { Details = [] };

    public static StatusException NotImplemented(string what) => new(501, "NotImplemented", what);

    public static StatusException UnsupportedMediaType(string contentType, string accepted) =>
        new(415, "UnsupportedMediaType", $"the body of the request was in an unknown format ({contentType}) - accepted media types include: {accepted}");

    public static StatusException Expired(long version, long oldest) =>
        new(410, "Expired", $"too old resource version: {version} ({oldest})");

    public static StatusException TooManyRequests(string message, string cause, string causeMessage) =>
        new(429, "TooManyRequests", message)
        {
            Details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["reason"] = cause, ["message"] = causeMessage }) },
        };

    /// <summary><c>deployments.apps</c>, as messages name a resource.</summary>
    public static string Qualified(ResourceId resource) => resource.Group.Length == 0 ? resource.Plural : $"{resource.Plural}.{resource.Group}";

    private static JsonObject About(ResourceId resource, string name)
    {
        var details = new JsonObject();
        if (name.Length > 0)
        {
            details["name"] = name;
        }

        if (resource.Group.Length > 0)
        {
            details["group"] = resource.Group;
        }

        details["kind"] = resource.Plural;
        return details;
    }
}
