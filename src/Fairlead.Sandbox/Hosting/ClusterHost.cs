using System.Net;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Images;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Nodes;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Hosting;

/// <summary>
/// The cluster in one process, the first of its PID namespace: when it ends, however it ends, the kernel ends every process of every pod,
/// and with them go the mount namespace, the network namespaces and the cable to the host.
/// </summary>
internal sealed class ClusterHost(SandboxOptions options, Func<TimeProvider, ILoggerFactory, IControlPlane> controlPlane, ILoggerFactory loggers, TimeProvider time)
{
    /// <summary>Runs until cancelled. <paramref name="ready"/> is called once the API answers and pods can start.</summary>
    internal async Task RunAsync(Action ready, CancellationToken cancellationToken)
    {
        var memory = Path.Combine(options.RunDirectory, "memory");
        await PrivateMounts.MountAsync(memory, cancellationToken);
        var layout = ClusterLayout.Of(options.HostSubnet);
        var directories = new NodeDirectories(memory, options.StateDirectory);
        WriteScripts(Path.Combine(memory, "scripts"));
        var images = ReadImages(Path.Combine(memory, "scripts"));
        var logger = loggers.CreateLogger("Fairlead.Sandbox");
        await using var api = controlPlane(time, loggers);
        using var network = await ClusterNetwork.CreateAsync(HostLink.NameOf(options.Name), Path.Combine(memory, "netns"), layout, cancellationToken);
        ClusterObjects.Ensure(api.Store, layout, time);
        var sources = new PodSources(api.Store);
        var node = new NodeAgent(new NodeContext(
            api.Store, network, images, directories, sources, new EventRecorder(api.Store, time), api.IssueToken, api.CertificateAuthority,
            PrivateMounts.HostMounts(await File.ReadAllTextAsync("/proc/self/mountinfo", cancellationToken)),
            [options.StateDirectory, options.RunDirectory], time, logger));
        var proxy = new ServiceProxy(network, api.Store, time, logger);
        await api.StartAsync(node, new IPEndPoint(layout.HostAddress, ClusterLayout.ApiPort), options.Kubeconfig, cancellationToken);
        ready();
        await TaskGroup.RunAsync(cancellationToken, proxy.RunAsync, node.RunAsync);
    }

    private static void WriteScripts(string directory)
    {
        var path = Path.Combine(directory, "postgres-entrypoint.sh");
        using var resource = typeof(ClusterHost).Assembly.GetManifestResourceStream("postgres-entrypoint.sh")!;
        using (var file = File.Create(path))
        {
            resource.CopyTo(file);
        }

        File.SetUnixFileMode(path, (UnixFileMode)0x1ed);      // 0755
    }

    private ImageTable ReadImages(string scripts)
    {
        var variables = ImageVariables.Of(options, scripts);
        var table = ImageTable.Default(variables);
        return options.ImagesFile is null ? table : ImageTable.Parse(File.ReadAllText(options.ImagesFile), variables).Before(table);
    }
}
