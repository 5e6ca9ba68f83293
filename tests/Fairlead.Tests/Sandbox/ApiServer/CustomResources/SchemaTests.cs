using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.CustomResources;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Tests.Sandbox.ApiServer.CustomResources;

public sealed class SchemaTests
{
    private static readonly JsonObject Schema = Objects.Json("""
        {"type": "object", "required": ["spec"], "properties": {
          "spec": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
            "count": {"type": "integer", "minimum": 1, "maximum": 5},
            "mode": {"type": "string", "enum": ["fast", "slow"]},
            "port": {"x-kubernetes-int-or-string": true},
            "list": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "ipv4"}},
            "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                      "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "nothing": {"type": "string", "nullable": true},
            "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]}
          }}}}
        """);

    [Theory]
    [InlineData("""{"name": "abc", "count": 5, "mode": "fast", "port": 80, "list": ["10.0.0.1"], "labels": {"a": "b"}, "nothing": null, "either": 1}""")]
    [InlineData("""{"name": "abc", "port": "http", "free": {"any": [1, {"thing": true}]}, "keyed": [{"k": "a"}, {"k": "b"}]}""")]
    public void Check_takes_what_fits(string spec) => Check(spec).ShouldBeNull();

    [Theory]
    [InlineData("""{}""", "spec.name: Required value")]
    [InlineData("""{"name": 7}""", "spec.name: Invalid value: \"integer\": spec.name in body must be of type string: \"integer\"")]
    [InlineData("""{"name": "a"}""", "spec.name: Invalid value: \"a\": spec.name in body should be at least 2 chars long")]
    [InlineData("""{"name": "abcdef"}""", "spec.name: Too long: may not be more than 5 bytes")]
    [InlineData("""{"name": "ABC"}""", "spec.name: Invalid value: \"ABC\": spec.name in body should match '^[a-z]+$'")]
    [InlineData("""{"name": "abc", "count": 6}""", "spec.count: Invalid value: 6: spec.count in body should be less than or equal to 5")]
    [InlineData("""{"name": "abc", "count": 1.5}""", "spec.count: Invalid value: \"number\": spec.count in body must be of type integer: \"number\"")]
    [InlineData("""{"name": "abc", "mode": "odd"}""", "spec.mode: Unsupported value: \"odd\": supported values: \"fast\", \"slow\"")]
    [InlineData("""{"name": "abc", "port": true}""", "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer or string: \"boolean\"")]
    [InlineData("""{"name": "abc", "list": []}""", "spec.list: Invalid value: 0: spec.list in body should have at least 1 items")]
    [InlineData("""{"name": "abc", "list": ["10.0.0.1", "x"]}""", "spec.list[1]: Invalid value: \"x\": spec.list[1] in body must be of type ipv4: \"x\"")]
    [InlineData("""{"name": "abc", "keyed": [{"k": "a"}, {"k": "a"}]}""", "spec.keyed[1]: Duplicate value: {\"k\":\"a\"}")]
    [InlineData("""{"name": "abc", "labels": {"a": 1}}""", "spec.labels.a: Invalid value: \"integer\": spec.labels.a in body must be of type string: \"integer\"")]
    [InlineData("""{"name": null}""", "spec.name: Invalid value: \"null\": spec.name in body must be of type string: \"null\"")]
    [InlineData("""{"name": "abc", "either": true}""", "spec.either: Invalid value: true: spec.either in body must validate one and only one schema (oneOf)")]
    public void Check_names_what_does_not_fit(string spec, string expected) => Check(spec).ShouldBe($"Thing.example.com \"t\" is invalid: {expected}");

    [Fact]
    public void Check_of_a_missing_spec_names_it() => Check(null).ShouldBe("Thing.example.com \"t\" is invalid: spec: Required value");

    [Fact]
    public void Prune_drops_what_the_schema_does_not_name()
    {
        var value = Objects.Json("""
            {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "anything": 1}, "extra": 1,
             "spec": {"name": "abc", "unknown": {"deep": 1}, "free": {"kept": 1}, "labels": {"kept": "1"}, "keyed": [{"k": "a", "odd": 1}]}}
            """);

        SchemaPruning.Prune(Schema, value).ShouldBe(["extra", "spec.unknown", "spec.keyed[0].odd"], ignoreOrder: true);

        value["spec"].ShouldBeJson("""{"name": "abc", "free": {"kept": 1}, "labels": {"kept": "1"}, "keyed": [{"k": "a"}]}""");
        value["metadata"].ShouldBeJson("""{"name": "t", "anything": 1}""");
    }

    private static string? Check(string? spec)
    {
        var value = new JsonObject { ["apiVersion"] = "example.com/v1", ["kind"] = "Thing", ["metadata"] = new JsonObject { ["name"] = "t" } };
        if (spec is not null)
        {
            value["spec"] = JsonNode.Parse(spec);
        }

        var errors = new FieldErrors();
        SchemaValidation.Check(Schema, value, errors);
        try
        {
            errors.ThrowIfAny(new ResourceKind("example.com", "v1", "things", "Thing", namespaced: true), "t");
            return null;
        }
        catch (StatusException failure)
        {
            failure.Code.ShouldBe(422);
            return failure.Message;
        }
    }
}
