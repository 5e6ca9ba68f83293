using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Selectors;

namespace Fairlead.Tests.Sandbox.ApiServer.Selectors;

public sealed class SelectorTests
{
    private const string Subject = """
        {"metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web", "tier": "front", "n": "5"}},
         "spec": {"nodeName": "n1", "count": 3}, "status": {"phase": "Running"}}
        """;

    [Theory]
    [InlineData("", true)]
    [InlineData("app=web", true)]
    [InlineData("app==web,tier=front", true)]
    [InlineData("app = web , tier != back", true)]
    [InlineData("app=db", false)]
    [InlineData("app!=db", true)]
    [InlineData("missing!=x", true)]
    [InlineData("app in (web, db)", true)]
    [InlineData("app in (db)", false)]
    [InlineData("app notin (db),tier", true)]
    [InlineData("missing notin (x)", true)]
    [InlineData("missing", false)]
    [InlineData("!missing", true)]
    [InlineData("!app", false)]
    [InlineData("n>4,n<6", true)]
    [InlineData("n>5", false)]
    [InlineData("app=", false)]
    [InlineData("app in (web),n in (1,5)", true)]
    public void Label_selector_matches(string selector, bool expected) =>
        LabelSelector.Parse(selector).Matches(Objects.Json(Subject)).ShouldBe(expected);

    [Theory]
    [InlineData("=web")]
    [InlineData("app in web")]
    [InlineData("app in (web")]
    [InlineData("app web")]
    [InlineData("app=web,")]
    [InlineData("app=web)")]
    [InlineData("app ~ web")]
    public void Label_selector_that_cannot_be_read_is_refused(string selector) =>
        Should.Throw<StatusException>(() => LabelSelector.Parse(selector)).Code.ShouldBe(400);

    [Theory]
    [InlineData("""{}""", true)]
    [InlineData("""{"matchLabels": {"app": "web"}}""", true)]
    [InlineData("""{"matchLabels": {"app": "web", "tier": "back"}}""", false)]
    [InlineData("""{"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "web"]}, {"key": "x", "operator": "DoesNotExist"}]}""", true)]
    [InlineData("""{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}""", false)]
    [InlineData("""{"matchExpressions": [{"key": "tier", "operator": "Exists"}]}""", true)]
    public void Label_selector_of_an_object_matches(string selector, bool expected) =>
        LabelSelector.Of(Objects.Json(selector)).Matches(Objects.Json(Subject)).ShouldBe(expected);

    [Theory]
    [InlineData("", true)]
    [InlineData("metadata.name=web-1", true)]
    [InlineData("metadata.name=web-2", false)]
    [InlineData("spec.nodeName==n1,status.phase!=Failed", true)]
    [InlineData("status.phase!=Running", false)]
    [InlineData("spec.count=3", true)]
    [InlineData("spec.absent=", true)]
    [InlineData("""metadata.namespace=sho\p""", true)]
    public void Field_selector_matches(string selector, bool expected) =>
        FieldSelector.Parse(selector, ["spec.nodeName", "status.phase", "spec.count", "spec.absent"]).Matches(Objects.Json(Subject)).ShouldBe(expected);

    [Theory]
    [InlineData("spec.secret=1")]
    [InlineData("nonsense")]
    [InlineData("=x")]
    [InlineData("""metadata.name=x\""")]
    public void Field_selector_that_is_not_supported_is_refused(string selector) =>
        Should.Throw<StatusException>(() => FieldSelector.Parse(selector, [])).Code.ShouldBe(400);
}
