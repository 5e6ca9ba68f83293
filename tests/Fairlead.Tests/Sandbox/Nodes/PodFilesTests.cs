using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class PodFilesTests
{
    [Fact]
    public void Resolv_conf_searches_the_namespace_first() => PodFiles.ResolvConf(Manifest.Pod("p")).ShouldBe("""
        search shop.svc.cluster.local svc.cluster.local cluster.local
        nameserver 10.96.0.10
        options ndots:5

        """);

    [Fact]
    public void Resolv_conf_of_a_pod_that_brings_its_own_holds_nothing_else() =>
        PodFiles.ResolvConf(Manifest.Pod("p", """{"dnsPolicy":"None","dnsConfig":{"nameservers":["1.2.3.4"],"options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}}"""))
            .ShouldBe("nameserver 1.2.3.4\noptions ndots:2 edns0\n");

    [Fact]
    public void Hosts_file_names_a_stateful_pod_as_its_service_does()
    {
        var hosts = PodFiles.Hosts(Manifest.Pod("db-0", """{"hostname":"db-0","subdomain":"db","hostAliases":[{"ip":"1.2.3.4","hostnames":["a","b"]}]}"""), "10.244.0.9");

        hosts.ShouldContain("10.244.0.9\tdb-0.db.shop.svc.cluster.local\tdb-0\n");
        hosts.ShouldContain("1.2.3.4\ta\tb\n");
    }

    [Fact]
    public void Host_name_is_cut_to_what_the_kernel_takes() =>
        PodFiles.HostName(Manifest.Pod(new string('a', 62) + "-and-more")).ShouldBe(new string('a', 62));
}
