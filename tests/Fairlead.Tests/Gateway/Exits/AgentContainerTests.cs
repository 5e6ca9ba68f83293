using Fairlead.Gateway.Exits;

namespace Fairlead.Tests.Gateway.Exits;

public sealed class AgentContainerTests
{
    /// <summary>https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted</summary>
    [Fact]
    public void Container_passes_the_strictest_pod_security_level()
    {
        var context = AgentContainer.Make("fairlead-exit-1", "fairlead/fairlead:1", "Never")["securityContext"]!;
        context["runAsNonRoot"]!.GetValue<bool>().ShouldBeTrue();
        context["allowPrivilegeEscalation"]!.GetValue<bool>().ShouldBeFalse();
        context["capabilities"]!.ToJsonString().ShouldBe("""{"drop":["ALL"]}""");
        context["seccompProfile"]!["type"]!.GetValue<string>().ShouldBe("RuntimeDefault");
    }

    [Fact]
    public void Container_says_nothing_of_what_it_is_for()
    {
        var container = AgentContainer.Make("fairlead-exit-1", "fairlead/fairlead:1", null);
        container.Select(p => p.Key).ShouldBe(["name", "image", "command", "stdin", "stdinOnce", "env", "securityContext"]);
        container["env"]!.AsArray().Select(e => e!["name"]!.GetValue<string>()).ShouldAllBe(name => name.StartsWith("DOTNET_"));
    }
}
