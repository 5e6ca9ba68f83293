using System.Net;
using System.Text;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Storage;
using Fairlead.Sandbox.Controllers;
using Fairlead.Sandbox.Dns;
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
internal sealed class ClusterHost(SandboxOptions options, ILoggerFactory loggers, TimeProvider time)
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
        var store = new ObjectStore(time);
        KubeApiServer? api = null;
        using var network = await ClusterNetwork.CreateAsync(HostLink.NameOf(options.Name), Path.Combine(memory, "netns"), layout, cancellationToken);
        var node = new NodeAgent(new NodeContext(
            store, network, images, directories, new PodSources(store), new EventRecorder(store, time),
            wish => api!.IssueToken(wish.Namespace, wish.Pod, wish.Audience is null ? [] : [wish.Audience], wish.Lifetime).Token,
            PrivateMounts.HostMounts(await File.ReadAllTextAsync("/proc/self/mountinfo", cancellationToken)),
            [options.StateDirectory, options.RunDirectory], time, logger));
        var listen = new IPEndPoint(layout.HostAddress, ClusterLayout.ApiPort);
        await using var server = new KubeApiServer(new ApiServerOptions { Listen = listen }, store, node, loggers, time);
        api = server;
        await server.StartAsync(cancellationToken);
        ClusterObjects.Ensure(server.Objects, layout, time);
        WriteKubeconfig(server.AdminKubeconfig);
        var services = new ServiceIndex(store);
        var proxy = new ServiceProxy(network, services, time, logger);
        var controllers = new ControllerHost(server.Objects, Path.Combine(options.StateDirectory, "volumes"), time, logger);
        var dns = new ClusterDns(network, new DnsAnswers(services), logger, time);
        ready();
        await TaskGroup.RunAsync(cancellationToken, services.RunAsync, proxy.RunAsync, controllers.RunAsync, dns.RunAsync, node.RunAsync);
        await server.StopAsync(CancellationToken.None);
    }

    /// <summary>It holds the admin's key: only root reads it.</summary>
    private void WriteKubeconfig(string text)
    {
        File.Delete(options.Kubeconfig);
        using var file = new FileStream(options.Kubeconfig, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(Encoding.UTF8.GetBytes(text));
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
