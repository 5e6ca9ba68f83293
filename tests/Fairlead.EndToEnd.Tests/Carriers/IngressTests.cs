using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Carriers;

/// <summary>A laptop that reaches the cluster by HTTPS through an ingress only: nginx, as its ingress controller configures it, with a certificate of its own.</summary>
[Collection(Disturbing.Name)]
public sealed class IngressTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Name = "fairlead.ingress.test";

    /// <summary>Far below nginx's 60 s, so that a connection which is silent for the length of the test is one that heartbeats don't keep.</summary>
    private const int ReadTimeoutSeconds = 3;

    [Fact]
    public async Task Laptop_behind_an_ingress_joins_and_is_carried_by_a_websocket_that_idle_flows_outlive()
    {
        (await Cluster.FairleadAsync(["gateway", "upgrade", "--kubeconfig", Cluster.Kubeconfig, "--set", $"ingress.enabled=true,ingress.host={Name}"], TimeSpan.FromSeconds(120))).ShouldSucceed();
        var laptop = await NewLaptopAsync();
        var address = laptop.Gateway;
        await ConfigureAsync(address);
        using var nginx = Cluster.Host.Start("nginx", "-c", "/etc/ingress/nginx.conf", "-g", "daemon off;");
        try
        {
            await laptop.Host.WriteAsync("/etc/hosts", $"127.0.0.1 localhost\n{address} {Name}\n");
            await laptop.ShutGatewayPortsAsync();
            await Shell.EventuallyAsync("nginx answers", async () => (await laptop.Host.RunAsync("curl", "-sk", "-o", "/dev/null", $"https://{Name}/")).ExitCode == 0);
            await Shell.EventuallyAsync("the space says where it is", async () =>
                (await Cluster.KubectlAsync("get", "configmap", "fairlead-space", "-n", "fairlead", "-o", "jsonpath={.data.endpoints}")).Text.Contains(Name, StringComparison.Ordinal));
            await Cluster.JoinAsync(laptop, "shop");
            await laptop.ConsumeAsync("shop/*");
            (await laptop.SpaceAsync()).GetProperty("carrier").GetString().ShouldBe("websocket");
            (await laptop.FairleadAsync("space", "show")).Text.ShouldContain($"websocket to {Name}:443");

            // One flow is silent for longer than the ingress keeps a silent connection.
            using var session = laptop.Host.Start("socat", "STDIO", "TCP:echo.shop:7");
            await session.StandardInput.WriteLineAsync("before");
            (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20))).ShouldBe("before");
            await Task.Delay(TimeSpan.FromSeconds(3 * ReadTimeoutSeconds));
            await session.StandardInput.WriteLineAsync("after");
            (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20))).ShouldBe("after");
            session.StandardInput.Close();
            await session.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();

            // Nothing but the tunnel is exposed.
            (await laptop.Host.RunAsync("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", $"https://{Name}/v1/authority")).Text.ShouldBe("404");
        }
        finally
        {
            nginx.Kill(entireProcessTree: true);
            (await Cluster.FairleadAsync(["gateway", "upgrade", "--kubeconfig", Cluster.Kubeconfig, "--set", "ingress=null"], TimeSpan.FromSeconds(120))).ShouldSucceed();
        }
    }

    /// <summary>What ingress-nginx makes of the Ingress with the annotation backend-protocol: HTTPS (docs/carriers.md).</summary>
    private async Task ConfigureAsync(string address) => (await Cluster.Host.ShellAsync($$"""
        set -e
        mkdir -p /etc/ingress /run/ingress
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={{Name}} -keyout /etc/ingress/key.pem -out /etc/ingress/cert.pem 2>/dev/null
        cat > /etc/ingress/nginx.conf <<'END'
        user root;
        pid /run/ingress/nginx.pid;
        error_log /run/ingress/error.log;
        events {}
        http {
          access_log off;
          client_body_temp_path /run/ingress/body;
          proxy_temp_path /run/ingress/proxy;
          fastcgi_temp_path /run/ingress/fastcgi;
          uwsgi_temp_path /run/ingress/uwsgi;
          scgi_temp_path /run/ingress/scgi;
          map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
          server {
            listen {{address}}:443 ssl http2;
            server_name {{Name}};
            ssl_certificate /etc/ingress/cert.pem;
            ssl_certificate_key /etc/ingress/key.pem;
            location = /tunnel {
              proxy_pass https://{{Cluster.NodeAddress}}:30443;
              proxy_http_version 1.1;
              proxy_set_header Host $host;
              proxy_set_header Upgrade $http_upgrade;
              proxy_set_header Connection $connection_upgrade;
              proxy_read_timeout {{ReadTimeoutSeconds}}s;
              proxy_send_timeout {{ReadTimeoutSeconds}}s;
            }
            location / { return 404; }
          }
        }
        END
        """)).ShouldSucceed();
}
