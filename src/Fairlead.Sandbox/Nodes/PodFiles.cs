using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>The files that a kubelet writes for a pod: hostname, /etc/hosts, /etc/resolv.conf.</summary>
internal static class PodFiles
{
    internal static string HostName(JsonObject pod)
    {
        var name = pod.Text("spec", "hostname") is { Length: > 0 } given ? given : pod.Name();
        // A host name has at most 63 characters (hostname(7)).
        return name.Length <= 63 ? name : name[..63].TrimEnd('-', '.');
    }

    internal static string Hosts(JsonObject pod, string address)
    {
        var name = HostName(pod);
        var names = pod.Text("spec", "subdomain") is { Length: > 0 } subdomain
            ? $"{name}.{subdomain}.{pod.Namespace()}.svc.{ClusterLayout.ClusterDomain}\t{name}"
            : name;
        var text = new StringBuilder("# Written by the sandbox for this pod.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        text.Append(address).Append('\t').Append(names).Append('\n');
        foreach (var alias in pod.Maps("spec", "hostAliases"))
        {
            text.Append(alias.Text("ip")).Append('\t').AppendJoin('\t', alias.Texts("hostnames")).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>resolv.conf(5) for dnsPolicy ClusterFirst, and for None with dnsConfig. Default has no host resolver to go to here.</summary>
    internal static string ResolvConf(JsonObject pod)
    {
        var none = pod.Text("spec", "dnsPolicy") == "None";
        var domain = ClusterLayout.ClusterDomain;
        List<string> servers = none ? [] : [ClusterLayout.DnsServiceAddress];
        List<string> searches = none ? [] : [$"{pod.Namespace()}.svc.{domain}", $"svc.{domain}", domain];
        var options = new Dictionary<string, string?>();
        if (!none)
        {
            options["ndots"] = "5";
        }

        servers.AddRange(pod.Texts("spec", "dnsConfig", "nameservers"));
        searches.AddRange(pod.Texts("spec", "dnsConfig", "searches"));
        foreach (var option in pod.Maps("spec", "dnsConfig", "options"))
        {
            options[option.Text("name") ?? ""] = option.Text("value");
        }

        var text = new StringBuilder();
        if (searches.Count > 0)
        {
            text.Append("search ").AppendJoin(' ', searches.Distinct()).Append('\n');
        }

        foreach (var server in servers.Distinct())
        {
            text.Append("nameserver ").Append(server).Append('\n');
        }

        if (options.Count > 0)
        {
            text.Append("options ").AppendJoin(' ', options.Select(o => o.Value is null ? o.Key : $"{o.Key}:{o.Value}")).Append('\n');
        }

        return text.ToString();
    }
}
