using Fairlead.Gateway.Cluster;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Gateway.Cluster;

public sealed class MeshesTests
{
    [Fact]
    public void Sidecar_is_known_as_a_container_and_as_an_init_container_that_goes_on()
    {
        Meshes.Of(new Pod { Spec = new PodSpec { Containers = [new Container { Name = "app" }, new Container { Name = "istio-proxy" }] } }).ShouldBe("Istio");
        Meshes.Of(new Pod { Spec = new PodSpec { InitContainers = [new Container { Name = "linkerd-proxy" }], Containers = [new Container { Name = "app" }] } }).ShouldBe("Linkerd");
    }

    [Fact]
    public void Ambient_mode_is_known_by_the_annotation() =>
        Meshes.Of(new Pod { Metadata = new ObjectMeta { Annotations = new Dictionary<string, string> { ["ambient.istio.io/redirection"] = "enabled" } } }).ShouldBe("Istio");

    [Fact]
    public void Pod_without_a_proxy_is_in_no_mesh() =>
        Meshes.Of(new Pod { Spec = new PodSpec { Containers = [new Container { Name = "nginx" }] } }).ShouldBeNull();
}
