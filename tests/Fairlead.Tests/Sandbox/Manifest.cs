using System.Text.Json.Nodes;

namespace Fairlead.Tests.Sandbox;

/// <summary>Objects as tests write them.</summary>
internal static class Manifest
{
    internal static JsonObject Of(string json) => JsonNode.Parse(json)!.AsObject();

    internal static JsonObject Service(string name, string spec, string ns = "shop") =>
        Of($$$"""{"apiVersion":"v1","kind":"Service","metadata":{"name":"{{{name}}}","namespace":"{{{ns}}}","uid":"uid-{{{name}}}"},"spec":{{{spec}}}}""");

    internal static JsonObject Slice(string service, string endpoints, string ports, string ns = "shop") => Of($$$"""
        {"metadata":{"name":"{{{service}}}-1","namespace":"{{{ns}}}","labels":{"kubernetes.io/service-name":"{{{service}}}"}},
         "addressType":"IPv4","endpoints":{{{endpoints}}},"ports":{{{ports}}}}
        """);

    internal static JsonObject Pod(string name, string spec = """{"containers":[{"name":"c","image":"host"}]}""", string status = "{}", string labels = "{}") => Of($$$"""
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{{name}}}","namespace":"shop","uid":"uid-{{{name}}}","labels":{{{labels}}}},"spec":{{{spec}}},"status":{{{status}}}}
        """);
}
