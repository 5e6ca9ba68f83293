using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Nodes;

/// <summary>Sysctls of a pod's securityContext. As a kubelet, only those that are safe to give away; of these, the ones of a network namespace.</summary>
internal static class PodSysctls
{
    /// <summary>https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/ ("Safe and Unsafe Sysctls"), without <c>kernel.shm_rmid_forced</c>.</summary>
    private static readonly HashSet<string> Safe =
    [
        "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    ];

    /// <exception cref="ContainerConfigException">One is not safe.</exception>
    internal static IReadOnlyDictionary<string, string> Of(JsonObject pod)
    {
        var wanted = pod.Maps("spec", "securityContext", "sysctls").ToDictionary(s => s.Text("name") ?? "", s => s.Text("value") ?? "");
        return wanted.Keys.FirstOrDefault(name => !Safe.Contains(name)) is { } unsafeOne
            ? throw new ContainerConfigException($"SysctlForbidden: forbidden sysctl: \"{unsafeOne}\" not allowlisted")
            : wanted;
    }
}
