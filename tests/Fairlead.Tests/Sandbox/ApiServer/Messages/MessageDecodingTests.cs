using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Messages;

namespace Fairlead.Tests.Sandbox.ApiServer.Messages;

public sealed class MessageDecodingTests
{
    [Fact]
    public void Apply_drops_and_names_what_the_type_does_not_have()
    {
        var value = Objects.Json("""
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"any":"1"},"odd":1},
             "spec":{"replicsa":1,"template":{"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","portz":[]}]}}},"status":null}
            """);

        MessageDecoding.Apply("Deployment", value).ShouldBe(["metadata.odd", "spec.replicsa", "spec.template.spec.containers[0].portz"]);

        value.ShouldBeJson("""
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"any":"1"}},
             "spec":{"template":{"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c"}]}}}}
            """);
    }

    [Theory]
    [InlineData("Deployment", """{"spec":{"replicas":"3"}}""", "cannot unmarshal string into field spec.replicas of type int")]
    [InlineData("Deployment", """{"spec":[]}""", "cannot unmarshal array into field spec of type DeploymentSpec")]
    [InlineData("ConfigMap", """{"data":{"k":1}}""", "cannot unmarshal number into field data.k of type string")]
    [InlineData("ConfigMap", """{"data":[]}""", "cannot unmarshal array into field data of type object")]
    [InlineData("Secret", """{"data":{"k":"***"}}""", "into field data.k of type bytes")]
    [InlineData("Service", """{"spec":{"ports":[{"port":80.5}]}}""", "cannot unmarshal number into field spec.ports[0].port of type int")]
    [InlineData("Service", """{"spec":{"ports":{}}}""", "cannot unmarshal object into field spec.ports of type array")]
    [InlineData("Pod", """{"spec":{"containers":[null]}}""", "cannot unmarshal null into field spec.containers[0] of type Container")]
    [InlineData("Pod", """{"spec":{"hostNetwork":"yes"}}""", "cannot unmarshal string into field spec.hostNetwork of type bool")]
    public void Apply_refuses_a_value_of_another_type(string kind, string json, string expected)
    {
        var failure = Should.Throw<StatusException>(() => MessageDecoding.Apply(kind, Objects.Json(json)));

        failure.Code.ShouldBe(400);
        failure.Message.ShouldContain(expected);
    }

    [Theory]
    [InlineData("Service", """{"spec":{"ports":[{"port":80,"targetPort":"http"},{"port":81,"targetPort":81}]}}""")]
    [InlineData("Pod", """{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":1,"memory":"1Gi"}}}]}}""")]
    [InlineData("Pod", """{"metadata":{"creationTimestamp":"2026-01-02T03:04:05Z","managedFields":[{"manager":"m","fieldsV1":{"f:x":{}}}]}}""")]
    [InlineData("StatefulSet", """{"spec":{"volumeClaimTemplates":[{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"d"}}]}}""")]
    public void Apply_takes_what_the_type_has(string kind, string json)
    {
        var value = Objects.Json(json);

        MessageDecoding.Apply(kind, value).ShouldBeEmpty();

        value.ShouldBeJson(json);
    }

    [Fact]
    public void Every_built_in_kind_has_its_type_but_those_stored_as_they_come() =>
        BuiltInKinds.All.Where(kind => MessageTable.ByName(kind.Kind) is null).Select(kind => kind.Kind).ShouldBe(["Ingress", "NetworkPolicy", "CustomResourceDefinition"]);
}
