using System.Diagnostics;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Harness;

/// <summary>nginx that passes TCP connections on: a cloud's load balancer, an ingress that leaves TLS alone, a process in front of the API server.</summary>
internal sealed class StreamProxy : IAsyncDisposable
{
    private Process? _nginx;

    private StreamProxy(Process nginx) => _nginx = nginx;

    /// <param name="name">Of its files; one at a time may have it.</param>
    /// <param name="listen">The address and port that it is known to run by.</param>
    /// <param name="servers">What is inside its <c>stream</c> block (nginx.org/en/docs/stream/ngx_stream_core_module.html).</param>
    public static async Task<StreamProxy> StartAsync(Host host, string name, string listen, string servers)
    {
        var directory = $"/run/{name}";
        (await host.RunAsync("mkdir", "-p", directory)).ShouldSucceed();
        await host.WriteAsync($"{directory}/nginx.conf", $$"""
            load_module /usr/lib/nginx/modules/ngx_stream_module.so;
            user root;
            pid {{directory}}/nginx.pid;
            error_log {{directory}}/error.log;
            events { worker_connections 4096; }
            stream { {{servers}} }
            """);
        var proxy = new StreamProxy(host.Start("nginx", "-c", $"{directory}/nginx.conf", "-g", "daemon off;"));
        try
        {
            var colon = listen.LastIndexOf(':');
            await Shell.EventuallyAsync($"{name} listens", async () => (await host.RunAsync("nc", "-z", "-w", "1", listen[..colon], listen[(colon + 1)..])).ExitCode == 0);
            return proxy;
        }
        catch
        {
            Console.Error.WriteLine((await host.ShellAsync($"cat {directory}/error.log")).Output);
            await proxy.DisposeAsync();
            throw;
        }
    }

    /// <summary>kill -9: the kernel ends its connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _nginx, null) is { } nginx)
        {
            nginx.Kill(entireProcessTree: true);
            await nginx.WaitForExitAsync();
            nginx.Dispose();
        }
    }
}
