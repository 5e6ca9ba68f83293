using Fairlead.Sandbox.Controllers;

namespace Fairlead.Tests.Sandbox.Controllers;

public sealed class PodTemplatesTests
{
    [Fact]
    public void Hash_ignores_order_and_nulls_and_sees_every_value()
    {
        var hash = PodTemplates.Hash(Manifest.Of("""{"a":1,"b":[{"c":"x"}]}"""));

        PodTemplates.Hash(Manifest.Of("""{"b":[{"c":"x"}],"a":1,"creationTimestamp":null}""")).ShouldBe(hash);
        PodTemplates.Hash(Manifest.Of("""{"a":1,"b":[{"c":"y"}]}""")).ShouldNotBe(hash);
        PodTemplates.Hash(Manifest.Of("""{"a":"1","b":[{"c":"x"}]}""")).ShouldNotBe(hash);
    }

    [Fact]
    public void Pod_is_owned_and_labelled()
    {
        var set = Manifest.Of("""{"metadata":{"name":"db","namespace":"shop","uid":"u"},"spec":{"template":{"metadata":{"labels":{"app":"db"}},"spec":{"containers":[]}}}}""");

        var pod = PodTemplates.Pod(set, "apps/v1", "StatefulSet", ("extra", "1"));

        pod["metadata"]!["labels"]!.ToJsonString().ShouldBe("""{"app":"db","extra":"1"}""");
        pod["metadata"]!["ownerReferences"]![0]!["uid"]!.ToString().ShouldBe("u");
        set["spec"]!["template"]!["metadata"]!["labels"]!.ToJsonString().ShouldBe("""{"app":"db"}""", "the template is shared and stays as it is");
    }
}
