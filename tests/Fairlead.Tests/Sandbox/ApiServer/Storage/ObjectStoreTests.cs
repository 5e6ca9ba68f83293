using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Tests.Sandbox.ApiServer.Storage;

public sealed class ObjectStoreTests
{
    private readonly ManualTime time = new();
    private readonly ObjectStore store;

    public ObjectStoreTests() => store = new ObjectStore(time);

    [Fact]
    public void Create_assigns_identity_version_and_time()
    {
        var created = store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));

        Guid.TryParse(created.Uid(), out _).ShouldBeTrue();
        created.ResourceVersion().ShouldBeGreaterThan(0);
        created.Text("metadata", "creationTimestamp").ShouldBe("2026-01-02T03:04:05Z");
        store.Get(Objects.ConfigMaps, "default", "a").ShouldBeSameAs(created);
    }

    [Fact]
    public void Create_of_what_exists_is_refused()
    {
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));

        var failure = Should.Throw<StatusException>(() => store.Create(Objects.ConfigMaps, Objects.ConfigMap("a")));

        failure.Code.ShouldBe(409);
        failure.Reason.ShouldBe("AlreadyExists");
        failure.Message.ShouldBe("configmaps \"a\" already exists");
    }

    [Fact]
    public void Create_keeps_no_tie_to_the_callers_object()
    {
        var mine = Objects.ConfigMap("a");
        store.Create(Objects.ConfigMaps, mine);

        mine["data"]!["value"] = "changed";

        store.Get(Objects.ConfigMaps, "default", "a").Text("data", "value").ShouldBe("1");
    }

    [Fact]
    public void Create_with_generateName_makes_names_that_differ()
    {
        var names = Enumerable.Range(0, 50).Select(_ =>
        {
            var value = Objects.ConfigMap("");
            value.Metadata()["generateName"] = "web-";
            return store.Create(Objects.ConfigMaps, value).Name();
        }).ToArray();

        names.Distinct().Count().ShouldBe(50);
        names.ShouldAllBe(name => name.StartsWith("web-") && name.Length == 9);
    }

    [Fact]
    public void Update_with_an_old_version_is_a_conflict()
    {
        var first = store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));
        store.Update(Objects.ConfigMaps, Objects.ConfigMap("a", "2"));
        var stale = first.Clone();
        stale["data"]!["value"] = "3";

        var failure = Should.Throw<StatusException>(() => store.Update(Objects.ConfigMaps, stale));

        (failure.Code, failure.Reason).ShouldBe((409, "Conflict"));
        store.Get(Objects.ConfigMaps, "default", "a").Text("data", "value").ShouldBe("2");
    }

    [Fact]
    public void Update_cannot_change_identity()
    {
        var first = store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));
        var forged = Objects.ConfigMap("a", "2");
        forged.Metadata()["creationTimestamp"] = "1999-01-01T00:00:00Z";
        forged.Metadata()["deletionTimestamp"] = "1999-01-01T00:00:00Z";

        var updated = store.Update(Objects.ConfigMaps, forged);

        updated.Uid().ShouldBe(first.Uid());
        updated.Text("metadata", "creationTimestamp").ShouldBe(first.Text("metadata", "creationTimestamp"));
        updated.IsBeingDeleted().ShouldBeFalse();
    }

    [Fact]
    public void Update_of_another_incarnation_is_a_conflict()
    {
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));
        var other = Objects.ConfigMap("a", "2");
        other.Metadata()["uid"] = Guid.NewGuid().ToString();

        Should.Throw<StatusException>(() => store.Update(Objects.ConfigMaps, other)).Code.ShouldBe(409);
    }

    [Fact]
    public void Update_that_changes_nothing_writes_nothing()
    {
        var first = store.Create(Objects.ConfigMaps, Objects.ConfigMap("a"));

        store.Update(Objects.ConfigMaps, Objects.ConfigMap("a")).ShouldBeSameAs(first);
        store.List(Objects.ConfigMaps).ResourceVersion.ShouldBe(first.ResourceVersion());
    }

    [Fact]
    public void Generation_counts_changes_of_the_spec_alone()
    {
        var value = Objects.Pod("a");
        value.Metadata()["generation"] = 1;
        store.Create(Objects.Pods, value);

        var status = store.Modify(Objects.Pods, "default", "a", pod => Set(pod, "status", "phase", "Running"));
        var spec = store.Modify(Objects.Pods, "default", "a", pod => Set(pod, "spec", "hostname", "h"));

        status.Number("metadata", "generation").ShouldBe(1);
        spec.Number("metadata", "generation").ShouldBe(2);
    }

    [Fact]
    public void Modify_by_many_loses_none()
    {
        store.Create(Objects.ConfigMaps, Objects.ConfigMap("a", "0"));

        Parallel.For(0, 200, _ => store.Modify(Objects.ConfigMaps, "default", "a", value =>
            Set(value, "data", "value", (int.Parse(value.Text("data", "value")!) + 1).ToString())));

        store.Get(Objects.ConfigMaps, "default", "a").Text("data", "value").ShouldBe("200");
    }

    [Fact]
    public void Delete_waits_for_finalizers()
    {
        var value = Objects.ConfigMap("a");
        value.Metadata()["finalizers"] = new JsonArray("example.com/hold");
        store.Create(Objects.ConfigMaps, value);

        store.Delete(Objects.ConfigMaps, "default", "a").IsBeingDeleted().ShouldBeTrue();
        store.Get(Objects.ConfigMaps, "default", "a").ShouldNotBeNull();
        store.Modify(Objects.ConfigMaps, "default", "a", current => current.Metadata().Remove("finalizers"));

        store.Get(Objects.ConfigMaps, "default", "a").ShouldBeNull();
    }

    [Fact]
    public void Delete_of_a_namespace_waits_for_its_spec_finalizers()
    {
        store.Create(Objects.Namespaces, Objects.Json("""
            {"kind": "Namespace", "metadata": {"name": "shop"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
            """));

        store.Delete(Objects.Namespaces, null, "shop").Text("status", "phase").ShouldBe("Terminating");
        store.Modify(Objects.Namespaces, null, "shop", value => value.Map("spec")!.Remove("finalizers"));

        store.Get(Objects.Namespaces, null, "shop").ShouldBeNull();
    }

    [Fact]
    public void Delete_of_a_pod_on_a_node_gives_it_its_grace_period()
    {
        store.Create(Objects.Pods, Objects.Pod("a", node: "n"));

        var dying = store.Delete(Objects.Pods, "default", "a");

        dying.Text("metadata", "deletionTimestamp").ShouldBe("2026-01-02T03:04:35Z");
        dying.Number("metadata", "deletionGracePeriodSeconds").ShouldBe(30);
        store.Delete(Objects.Pods, "default", "a", gracePeriodSeconds: 5).Number("metadata", "deletionGracePeriodSeconds").ShouldBe(5);
        store.Delete(Objects.Pods, "default", "a", gracePeriodSeconds: 60).Number("metadata", "deletionGracePeriodSeconds").ShouldBe(5);
        store.Delete(Objects.Pods, "default", "a", force: true);
        store.Get(Objects.Pods, "default", "a").ShouldBeNull();
    }

    [Fact]
    public void Delete_of_a_pod_without_a_node_removes_it_at_once()
    {
        store.Create(Objects.Pods, Objects.Pod("a"));

        store.Delete(Objects.Pods, "default", "a");

        store.Get(Objects.Pods, "default", "a").ShouldBeNull();
    }

    [Fact]
    public void List_is_ordered_and_of_one_namespace_when_asked()
    {
        foreach (var (@namespace, name) in (ReadOnlySpan<(string, string)>)[("b", "x"), ("a", "y"), ("a", "x"), ("a-b", "x")])
        {
            store.Create(Objects.ConfigMaps, Objects.ConfigMap(name, @namespace: @namespace));
        }

        store.List(Objects.ConfigMaps).Items.Select(item => $"{item.Namespace()}/{item.Name()}").ShouldBe(["a/x", "a/y", "a-b/x", "b/x"]);
        store.List(Objects.ConfigMaps, "a").Items.Select(item => item.Name()).ShouldBe(["x", "y"]);
    }

    private static bool Set(JsonObject value, string part, string field, string text)
    {
        value.Ensure(part)[field] = text;
        return true;
    }
}
