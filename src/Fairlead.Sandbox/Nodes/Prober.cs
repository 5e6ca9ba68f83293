using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>Null: the probe succeeded. Otherwise what it saw.</summary>
internal sealed record ProbeResult(string? Failure)
{
    internal static readonly ProbeResult Success = new((string?)null);
}

/// <summary>Carries out tcpSocket, httpGet and exec probes; the network ones come from the cluster's own namespace, as a kubelet's would.</summary>
internal sealed class Prober(ClusterNetwork network, IPAddress pod, Func<IReadOnlyList<string>, CancellationToken, Task<(int Code, string Output)>> exec)
    : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        PooledConnectionLifetime = TimeSpan.Zero,
#pragma warning disable CA5359 // A kubelet does not verify the certificate of what it probes.
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
#pragma warning restore CA5359
        ConnectCallback = async (context, cancellationToken) =>
        {
            var address = IPAddress.TryParse(context.DnsEndPoint.Host, out var parsed) ? parsed : pod;
            var to = new IPEndPoint(address, context.DnsEndPoint.Port);
            return new NetworkStream(await ClusterNetwork.ConnectAsync(network.Namespace, to, cancellationToken), ownsSocket: true);
        },
    });

    internal async Task<ProbeResult> RunAsync(JsonObject container, JsonObject probe, CancellationToken cancellationToken)
    {
        var seconds = Math.Max(1, probe.Number("timeoutSeconds") ?? 1);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(TimeSpan.FromSeconds(seconds));
        try
        {
            return probe.At("exec") is { } command ? await ExecAsync([.. command.Texts("command")], timeout.Token)
                : probe.At("httpGet") is { } get ? await GetAsync(container, get, timeout.Token)
                : probe.At("tcpSocket") is { } tcp ? await ConnectAsync(container, tcp, timeout.Token)
                : new ProbeResult("the sandbox does not know this kind of probe (it has exec, httpGet and tcpSocket)");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new ProbeResult($"no answer within {seconds} s");
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException or ContainerConfigException)
        {
            return new ProbeResult(e.InnerException is SocketException inner ? inner.Message : e.Message);
        }
    }

    public void Dispose() => http.Dispose();

    /// <summary>A port by number or by the name of a containerPort.</summary>
    internal static int Port(JsonObject container, string? port) =>
        int.TryParse(port, out var number) ? number
        : container.Maps("ports").FirstOrDefault(p => p.Text("name") == port).Number("containerPort")
            ?? throw new ContainerConfigException($"no port is named {port}");

    private async Task<ProbeResult> ExecAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var (code, output) = await exec(command, cancellationToken);
        return code == 0 ? ProbeResult.Success : new ProbeResult($"exit code {code}: {output}");
    }

    private async Task<ProbeResult> GetAsync(JsonObject container, JsonNode get, CancellationToken cancellationToken)
    {
        var scheme = (get.Text("scheme") ?? "HTTP").ToLowerInvariant();
        var path = get.Text("path") ?? "/";
        var host = get.Text("host") is { Length: > 0 } given ? given : pod.ToString();
        using var request = new HttpRequestMessage(
            HttpMethod.Get, $"{scheme}://{host}:{Port(container, get.IntOrText("port"))}{(path.StartsWith('/') ? path : "/" + path)}");
        request.Headers.UserAgent.ParseAdd("kube-probe/1.31");
        request.Headers.ConnectionClose = true;
        foreach (var header in get.Maps("httpHeaders"))
        {
            if (header.Text("name") is { Length: > 0 } name)
            {
                request.Headers.Remove(name);
                request.Headers.TryAddWithoutValidation(name, header.Text("value") ?? "");
            }
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        return (int)response.StatusCode is >= 200 and < 400 ? ProbeResult.Success : new ProbeResult($"HTTP probe failed with statuscode: {(int)response.StatusCode}");
    }

    private async Task<ProbeResult> ConnectAsync(JsonObject container, JsonNode tcp, CancellationToken cancellationToken)
    {
        var address = IPAddress.TryParse(tcp.Text("host"), out var given) ? given : pod;
        using var socket = await ClusterNetwork.ConnectAsync(
            network.Namespace, new IPEndPoint(address, Port(container, tcp.IntOrText("port"))), cancellationToken);
        return ProbeResult.Success;
    }
}
