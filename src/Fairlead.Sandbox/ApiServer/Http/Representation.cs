using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>
/// The form in which a client wants objects
/// (https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources).
/// </summary>
internal enum Representation
{
    /// <summary>The object or list itself.</summary>
    Plain,
    Table,
    PartialMetadata,
}

internal static class RepresentationNegotiation
{
    /// <summary>The first form of the Accept header that there is.</summary>
    /// <exception cref="StatusException">406: there is none (protobuf, YAML, CBOR).</exception>
    public static Representation RepresentationOf(this HttpRequest request)
    {
        var accepted = request.GetTypedHeaders().Accept;
        if (accepted.Count == 0)
        {
            return Representation.Plain;
        }

        foreach (var type in accepted)
        {
            if (type.MediaType.Value is "*/*" or "application/*" || (type.MediaType == "application/json" && Parameter(type, "as") is null))
            {
                return Representation.Plain;
            }

            if (type.MediaType == "application/json" && Parameter(type, "g") == "meta.k8s.io")
            {
                switch (Parameter(type, "as"))
                {
                    case "Table" when Parameter(type, "v") == "v1":
                        return Representation.Table;
                    case "PartialObjectMetadata" or "PartialObjectMetadataList" when Parameter(type, "v") == "v1":
                        return Representation.PartialMetadata;
                }
            }
        }

        throw new StatusException(406, "NotAcceptable", "only the following media types are accepted: application/json");
    }

    private static string? Parameter(MediaTypeHeaderValue type, string name) =>
        type.Parameters.FirstOrDefault(parameter => parameter.Name.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value.Value;
}
