using System.Security.Cryptography;
using System.Text;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Kubernetes;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Kubernetes;

/// <summary>exec and port-forward of our own client against the API server and kubelet of whatever cluster the tests run on.</summary>
public sealed class PodStreamTests(SharedCluster shared) : ClusterTest(shared)
{
    private const string Namespace = "streams";
    private const string Pod = "shell";
    private static readonly byte[] _megabyte = RandomNumberGenerator.GetBytes(1 << 20);

    [Fact]
    public async Task Commands_give_output_errors_and_exit_codes_and_take_input()
    {
        Need(ClusterFeature.Python);
        await using var access = await AdminAccess.OpenAsync(Cluster);
        using var client = new KubernetesClient(KubeConfig.Load(access.Kubeconfig));
        await Cluster.CreateNamespaceAsync(Namespace);
        try
        {
            await Cluster.ApplyAsync($$"""
                apiVersion: v1
                kind: Pod
                metadata: { name: {{Pod}}, namespace: {{Namespace}} }
                spec:
                  terminationGracePeriodSeconds: 0
                  containers: [ { name: shell, image: "{{Cluster.PythonImage}}", command: [ sleep, infinity ] } ]
                """);
            (await Cluster.KubectlAsync("wait", "-n", Namespace, "--for=condition=Ready", $"pod/{Pod}", "--timeout=180s")).ShouldSucceed();

            await using (var speaking = await client.ExecAsync(Namespace, Pod, new ExecOptions(["sh", "-c", "echo out; echo err >&2; exit 3"]), Limit.Token))
            {
                var said = await Task.WhenAll(ReadAsync(speaking.Stdout), ReadAsync(speaking.Stderr));
                said.ShouldBe(["out\n", "err\n"]);
                (await speaking.ExitCode.WaitAsync(Limit.Token)).ShouldBe(3);
            }

            // Servers before 1.30 can't be told the end of the input: the command knows how much there is.
            await using (var counting = await client.ExecAsync(
                Namespace, Pod, new ExecOptions(["sh", "-c", $"head -c {_megabyte.Length} | sha256sum | cut -d' ' -f1"], Stdin: true, Stderr: false), Limit.Token))
            {
                await counting.Stdin.WriteAsync(_megabyte, Limit.Token);
                (await ReadAsync(counting.Stdout)).Trim().ShouldBe(Convert.ToHexStringLower(SHA256.HashData(_megabyte)));
                (await counting.ExitCode.WaitAsync(Limit.Token)).ShouldBe(0);
            }

            await using (var terminal = await client.ExecAsync(Namespace, Pod, new ExecOptions(["sh", "-c", "test -t 0 && test -t 1 && echo terminal"], Stdin: true, Tty: true), Limit.Token))
            {
                (await ReadAsync(terminal.Stdout)).Trim().ShouldBe("terminal");
            }
        }
        finally
        {
            await Cluster.RemoveNamespaceAsync(Namespace);
        }
    }

    [Fact]
    public async Task Ports_of_a_pod_are_reached_and_one_where_nobody_listens_is_told()
    {
        await using var access = await AdminAccess.OpenAsync(Cluster);
        using var client = new KubernetesClient(KubeConfig.Load(access.Kubeconfig));
        var echo = (await client.ListAsync(Resources.Pods, "shop", "app.kubernetes.io/name=echo", cancellationToken: Limit.Token)).Items[0].Metadata.Name!;

        await using (var session = await client.PortForwardAsync("shop", echo, [8080], Limit.Token))
        {
            await EchoAsync(session.Ports[0].Stream);
        }

        await using (var shut = await client.PortForwardAsync("shop", echo, [9], Limit.Token))
        {
            await RefusedAsync(shut.Ports[0].Stream);
        }

        // By SPDY, where the server speaks it.
        await using (var stream = await client.ConnectPodAsync("shop", echo, 8080, Limit.Token))
        {
            await EchoAsync(stream);
        }

        await using (var shut = await client.ConnectPodAsync("shop", echo, 9, Limit.Token))
        {
            await RefusedAsync(shut);
        }
    }

    private static async Task EchoAsync(Stream stream)
    {
        var back = new byte[_megabyte.Length];
        await Task.WhenAll(stream.WriteAsync(_megabyte, Limit.Token).AsTask(), stream.ReadExactlyAsync(back, Limit.Token).AsTask());
        back.ShouldBe(_megabyte);
    }

    private static async Task RefusedAsync(Stream stream) =>
        (await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1], Limit.Token))).Message.ShouldContain("refused");

    private static async Task<string> ReadAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(Limit.Token);
    }
}
