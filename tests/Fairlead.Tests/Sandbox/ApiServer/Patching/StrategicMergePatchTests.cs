using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Patching;

namespace Fairlead.Tests.Sandbox.ApiServer.Patching;

public sealed class StrategicMergePatchTests
{
    [Theory]
    // Items of a list with a key merge, others are added at the end.
    [InlineData(
        """{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}}""",
        """{"spec":{"containers":[{"name":"b","image":"2"},{"name":"c","image":"3"}]}}""",
        """{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"},{"name":"c","image":"3"}]}}""")]
    // $patch: delete takes an item away.
    [InlineData(
        """{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}""",
        """{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}""",
        """{"spec":{"containers":[{"name":"b"}]}}""")]
    // A list of its own inside an item.
    [InlineData(
        """{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}]}]}}""",
        """{"spec":{"containers":[{"name":"a","env":[{"name":"X","$patch":"delete"},{"name":"Z","value":"3"}]}]}}""",
        """{"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"2"},{"name":"Z","value":"3"}]}]}}""")]
    // What kubectl apply sends when an order changes and an item is new.
    [InlineData(
        """{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}""",
        """{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"c"},{"name":"a"}],"containers":[{"name":"c","image":"3"}]}}""",
        """{"spec":{"containers":[{"name":"b"},{"name":"c","image":"3"},{"name":"a"}]}}""")]
    // An item that only the server has stays behind the one before it.
    [InlineData(
        """{"spec":{"containers":[{"name":"a"},{"name":"server"},{"name":"b"}]}}""",
        """{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}}""",
        """{"spec":{"containers":[{"name":"b"},{"name":"a"},{"name":"server"}]}}""")]
    // A whole list is replaced on demand.
    [InlineData(
        """{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}""",
        """{"spec":{"containers":[{"name":"c"},{"$patch":"replace"}]}}""",
        """{"spec":{"containers":[{"name":"c"}]}}""")]
    // A list without a key is replaced.
    [InlineData("""{"spec":{"tolerations":[{"key":"a"}]}}""", """{"spec":{"tolerations":[{"key":"b"}]}}""", """{"spec":{"tolerations":[{"key":"b"}]}}""")]
    // Sets of scalars.
    [InlineData("""{"metadata":{"finalizers":["a","b"]}}""", """{"metadata":{"finalizers":["b","c"]}}""", """{"metadata":{"finalizers":["a","b","c"]}}""")]
    [InlineData("""{"metadata":{"finalizers":["a","b"]}}""", """{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}}""", """{"metadata":{"finalizers":["b"]}}""")]
    [InlineData(
        """{"metadata":{"finalizers":["a","b"]}}""",
        """{"metadata":{"$setElementOrder/finalizers":["b","a"]}}""",
        """{"metadata":{"finalizers":["b","a"]}}""")]
    // Maps: null removes, $patch replaces or deletes, $retainKeys drops the rest.
    [InlineData("""{"metadata":{"labels":{"a":"1","b":"2"}}}""", """{"metadata":{"labels":{"a":null,"c":"3"}}}""", """{"metadata":{"labels":{"b":"2","c":"3"}}}""")]
    [InlineData("""{"metadata":{"labels":{"a":"1"}}}""", """{"metadata":{"labels":{"$patch":"replace","b":"2"}}}""", """{"metadata":{"labels":{"b":"2"}}}""")]
    [InlineData("""{"metadata":{"labels":{"a":"1"},"name":"n"}}""", """{"metadata":{"labels":{"$patch":"delete"}}}""", """{"metadata":{"name":"n"}}""")]
    [InlineData(
        """{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}""",
        """{"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/p"}}]}}""",
        """{"spec":{"volumes":[{"name":"v","hostPath":{"path":"/p"}}]}}""")]
    public void Apply_merges_as_the_schema_says(string target, string patch, string expected) =>
        StrategicMergePatch.Apply(Objects.Json(target), Objects.Json(patch), BuiltInMergeSchemas.Pod).ShouldBeJson(expected);

    [Theory]
    [InlineData("""{"spec":{"$patch":"explode"}}""")]
    [InlineData("""{"spec":{"containers":[{"image":"no name"}]}}""")]
    [InlineData("""{"spec":{"containers":["text"]}}""")]
    public void Apply_of_what_makes_no_sense_is_refused(string patch) =>
        Should.Throw<StatusException>(() => StrategicMergePatch.Apply(Objects.Json("""{"spec":{"containers":[]}}"""), Objects.Json(patch), BuiltInMergeSchemas.Pod))
            .Code.ShouldBe(400);

    [Fact]
    public void Apply_leaves_its_arguments_alone()
    {
        const string before = """{"spec":{"containers":[{"name":"a","image":"1"}]}}""";
        var target = Objects.Json(before);

        StrategicMergePatch.Apply(target, Objects.Json("""{"spec":{"containers":[{"name":"a","image":"2"}]}}"""), BuiltInMergeSchemas.Pod);

        target.ShouldBeJson(before);
    }
}
