using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Patching;

namespace Fairlead.Tests.Sandbox.ApiServer.Patching;

public sealed class ServerSideApplyTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private JsonObject live = Objects.Json("""{"metadata":{"name":"n"}}""");

    [Fact]
    public void Apply_without_a_field_of_before_removes_it()
    {
        Apply("me", """{"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"a","image":"1","env":[{"name":"X","value":"1"}]},{"name":"b"}]}}}}""");

        Apply("me", """{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"2"}]}}}}""");

        live["spec"].ShouldBeJson("""{"template":{"spec":{"containers":[{"name":"a","image":"2"}]}}}""");
    }

    [Fact]
    public void Apply_leaves_what_others_wrote()
    {
        Apply("me", """{"metadata":{"labels":{"mine":"1","old":"1"}}}""");
        live["metadata"]!["labels"]!["edited"] = "by hand";
        Apply("other", """{"metadata":{"labels":{"theirs":"1"}}}""");

        Apply("me", """{"metadata":{"labels":{"mine":"2"}}}""");

        live["metadata"]!["labels"].ShouldBeJson("""{"mine":"2","edited":"by hand","theirs":"1"}""");
    }

    [Fact]
    public void Apply_that_gives_up_a_shared_field_keeps_it_for_the_other()
    {
        Apply("me", """{"spec":{"replicas":3}}""");
        Apply("other", """{"spec":{"replicas":3}}""");

        Apply("me", """{}""");
        live["spec"].ShouldBeJson("""{"replicas":3}""");

        Apply("other", """{}""");
        live["spec"].ShouldBeNull();
    }

    [Fact]
    public void Apply_matches_ports_by_number_and_protocol()
    {
        const string ports = """{"spec":{"template":{"spec":{"containers":[{"name":"a","ports":[{"containerPort":53,"protocol":"UDP"},{"containerPort":53}]}]}}}}""";
        Apply("me", ports);
        live.Maps("spec", "template", "spec", "containers").Single().Maps("ports").Last()["protocol"] = "TCP"; // Defaulted.

        Apply("me", """{"spec":{"template":{"spec":{"containers":[{"name":"a","ports":[{"containerPort":53}]}]}}}}""");

        live.Maps("spec", "template", "spec", "containers").Single()["ports"].ShouldBeJson("""[{"containerPort":53,"protocol":"TCP"}]""");
    }

    [Fact]
    public void Apply_of_the_same_changes_nothing()
    {
        const string configuration = """{"metadata":{"labels":{"a":"1"},"finalizers":["f"]},"spec":{"selector":{"matchLabels":{"a":"1"}}}}""";
        Apply("me", configuration);
        var before = live.ToJsonString();

        live = ServerSideApply.Apply(live, Objects.Json(configuration), BuiltInMergeSchemas.Workload, "me", Now.AddHours(1));

        live.ToJsonString().ShouldBe(before);
    }

    [Fact]
    public void Apply_replaces_an_atomic_map()
    {
        Apply("me", """{"spec":{"selector":{"matchLabels":{"a":"1"}}}}""");

        Apply("other", """{"spec":{"selector":{"matchLabels":{"b":"2"}}}}""");

        live.At("spec", "selector").ShouldBeJson("""{"matchLabels":{"b":"2"}}""");
    }

    [Fact]
    public void Apply_of_an_item_without_its_key_is_refused() =>
        Should.Throw<StatusException>(() => Apply("me", """{"spec":{"template":{"spec":{"containers":[{"image":"1"}]}}}}""")).Code.ShouldBe(400);

    private void Apply(string manager, string configuration) =>
        live = ServerSideApply.Apply(live, Objects.Json(configuration), BuiltInMergeSchemas.Workload, manager, Now);
}
