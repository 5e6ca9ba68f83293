using Fairlead.Sandbox.Images;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class ContainerPlannerTests
{
    private static readonly Image Redis = new() { Name = "redis:*", Entrypoint = ["/usr/bin/redis-server"], Arguments = ["--port", "1"], User = "redis", Group = "redis" };
    private static readonly Image Host = new() { Name = "host" };
    private static readonly Dictionary<string, string> None = [];

    [Theory]
    [InlineData("""{}""", "/usr/bin/redis-server --port 1")]
    [InlineData("""{"args":["--port","2"]}""", "/usr/bin/redis-server --port 2")]
    [InlineData("""{"command":["redis-cli"]}""", "redis-cli")]
    [InlineData("""{"command":["a"],"args":["$(B)"]}""", "a $(B)")]
    public void Command_and_args_combine_as_in_containers(string container, string expected) =>
        string.Join(' ', ContainerPlanner.Command(Manifest.Of(container), Redis, None)).ShouldBe(expected);

    [Fact]
    public void Host_image_without_a_command_is_refused() =>
        Should.Throw<ContainerConfigException>(() => ContainerPlanner.Command(Manifest.Of("{}"), Host, None));

    [Fact]
    public void Identity_of_a_plain_container_is_root_with_the_usual_capabilities()
    {
        var identity = Identity("{}", "{}");

        identity.IsRoot.ShouldBeTrue();
        identity.NoNewPrivileges.ShouldBeFalse();
        identity.Capabilities!.ShouldContain("net_bind_service");
        identity.Capabilities!.ShouldNotContain("sys_admin");
    }

    [Fact]
    public void Security_context_of_the_container_wins_over_the_pods()
    {
        var identity = Identity(
            """{"securityContext":{"runAsUser":1,"runAsGroup":2,"fsGroup":3,"supplementalGroups":[4]}}""",
            """{"securityContext":{"runAsUser":5,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["NET_ADMIN"]}}}""");

        identity.SetPrivArguments().ShouldBe(
            ["--reuid=5", "--regid=2", "--groups=4,3", "--inh-caps=-all", "--bounding-set=-all,+net_admin", "--no-new-privs"]);
    }

    [Fact]
    public void User_of_the_image_is_used_unless_another_is_asked_for()
    {
        ContainerPlanner.Identity(Manifest.Pod("p"), Manifest.Of("{}"), Redis).User.ShouldBe("redis");
        ContainerPlanner.Identity(Manifest.Pod("p"), Manifest.Of("""{"securityContext":{"runAsUser":7}}"""), Redis).Group.ShouldBe("0");
    }

    [Theory]
    [InlineData("""{"securityContext":{"runAsNonRoot":true}}""")]
    [InlineData("""{"securityContext":{"capabilities":{"add":["net_admin,+all"]}}}""")]
    public void Contradiction_or_nonsense_is_refused(string container) =>
        Should.Throw<ContainerConfigException>(() => Identity("{}", container));

    [Theory]
    [InlineData("""{"name":"v","mountPath":"/data","subPath":"../x"}""")]
    [InlineData("""{"name":"v","mountPath":"/a/../../etc"}""")]
    [InlineData("""{"name":"other","mountPath":"/data"}""")]
    public void Mount_that_leaves_its_volume_or_has_none_is_refused(string mount) => Should.Throw<ContainerConfigException>(() => Plan(mount));

    [Fact]
    public void Mount_leads_to_its_volume()
    {
        var mount = Plan("""{"name":"v","mountPath":"data/","subPath":"sub","readOnly":true}""").Mounts.ShouldHaveSingleItem();

        mount.ShouldBe(new ContainerMount("/volumes/v/sub", "/data", true));
    }

    [Fact]
    public void Start_script_quotes_every_word_of_the_manifest()
    {
        var plan = Plan("""{"name":"v","mountPath":"/it's"}""") with { Command = ["echo", "$(rm -rf /)", "a'b"] };

        var script = StartScript.Render(plan);

        script.ShouldEndWith("'echo' '$(rm -rf /)' 'a'\\''b'\n");
        script.ShouldContain("mount --rbind '/.sandbox-host/volumes/v' '/it'\\''s'");
    }

    private static ContainerIdentity Identity(string podSpec, string container) =>
        ContainerPlanner.Identity(Manifest.Pod("p", podSpec), Manifest.Of(container), Host);

    private static ContainerPlan Plan(string mount) => ContainerPlanner.Plan(
        Manifest.Pod("p"), Manifest.Of($$"""{"command":["true"],"volumeMounts":[{{mount}}]}"""), Host, None,
        new Dictionary<string, string> { ["v"] = "/volumes/v" }, [], new ContainerPlace("/layer", "/dev-template", [], []));
}
