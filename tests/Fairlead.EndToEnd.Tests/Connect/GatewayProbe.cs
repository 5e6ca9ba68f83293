using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Gateway;
using Fairlead.Testbed;
using Fairlead.Testbed.Clusters;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Speaks to the cluster's gateway as a daemon does, without one: for what the gateway does whatever captures the flows on a laptop.</summary>
internal sealed class GatewayProbe : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Relay[] relays;
    private readonly X509Certificate2 certificate;
    private readonly X509Certificate2 authority;
    private readonly TunnelLink link;

    private GatewayProbe(Relay[] ways, X509Certificate2 own, X509Certificate2 root, TunnelLink tunnel)
    {
        relays = ways;
        certificate = own;
        authority = root;
        link = tunnel;
    }

    /// <summary>Joins as <paramref name="user"/>, who is granted <paramref name="namespaces"/>.</summary>
    public static async Task<GatewayProbe> JoinAsync(Cluster cluster, string user, string namespaces)
    {
        var node = IPAddress.Parse(cluster.NodeAddress);
        Relay[] relays = [Relay.Into(cluster.Host, new IPEndPoint(node, 30443)), Relay.Into(cluster.Host, new IPEndPoint(node, 30444))];
        var endpoint = new GatewayEndpoint("127.0.0.1", relays[0].Local.Port, relays[1].Local.Port);
        var token = JoinToken.Parse(await cluster.InviteAsync(user, namespaces)) with { Endpoints = [endpoint] };
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var bootstrap = BootstrapClient.Create(token);
        var request = new EnrollRequest(token.InviteId, token.Secret, new CertificateRequest("CN=probe", key, HashAlgorithmName.SHA256).CreateSigningRequestPem());
        using var response = await bootstrap.PostAsync(GatewayApi.Enroll, JsonContent.Create(request, GatewayJson.Default.EnrollRequest));
        var enrolled = JsonSerializer.Deserialize(await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync(), GatewayJson.Default.CertificateResponse)!;
        using var bare = X509Certificate2.CreateFromPem(enrolled.Certificate);
        var (own, root) = (bare.CopyWithPrivateKey(key), X509Certificate2.CreateFromPem(enrolled.Authority));
        var link = new TunnelLink(
            new TunnelLinkOptions { Endpoints = [endpoint], Tls = new TunnelTls(token.SpaceUid, root, () => own), Proxy = new WebProxy() }, NullLogger<TunnelLink>.Instance);
        link.Start();
        await link.WaitUntilConnectedAsync(CancellationToken.None).WaitAsync(Patience);
        return new GatewayProbe(relays, own, root, link);
    }

    public async Task<HelloResponse> HelloAsync() => await PostAsync(GatewayApi.Hello, new HelloRequest([1], "test", []), GatewayJson.Default.HelloRequest, GatewayJson.Default.HelloResponse);

    public Task<ExitResponse> CheckExitAsync(string ns, string workload) =>
        PostAsync(GatewayApi.Exit, new ExitRequest(ns, workload), GatewayJson.Default.ExitRequest, GatewayJson.Default.ExitResponse);

    /// <summary>The answer to a DNS message.</summary>
    public async Task<byte[]> AskAsync(byte[] query)
    {
        using var content = new ByteArrayContent(query);
        content.Headers.ContentType = new("application/dns-message");
        using var response = await link.Api.PostAsync(GatewayApi.DnsQuery, content).WaitAsync(Patience);
        return await response.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }

    /// <summary>The catalog with addresses, as it comes.</summary>
    public async IAsyncEnumerable<CatalogEvent> WatchAsync()
    {
        using var response = await link.Api.GetAsync($"{GatewayApi.Catalog}?addresses=true&gateway=true", HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync().WaitAsync(Patience) is { } line)
        {
            yield return JsonSerializer.Deserialize(line, GatewayJson.Default.CatalogEvent)!;
        }
    }

    /// <summary>Sends a line over TCP and gives what comes back until the end; or why there is no connection.</summary>
    public async Task<(string? Answer, FlowFailure Failure)> TalkAsync(string host, int port, string line, string? via = null)
    {
        var (flow, refusal) = await link.OpenAsync(new FlowTarget(TransportProtocol.Tcp, host, port, via), null, CancellationToken.None).AsTask().WaitAsync(3 * Patience);
        if (flow is null)
        {
            return (null, refusal!.Failure);
        }

        await using (flow)
        {
            await flow.WriteAsync(Encoding.ASCII.GetBytes(line));
            await flow.CompleteWritesAsync();
            var all = new MemoryStream();
            var buffer = new byte[4096];
            for (int count; (count = await flow.ReadAsync(buffer).AsTask().WaitAsync(Patience)) > 0;)
            {
                all.Write(buffer, 0, count);
            }

            return (Encoding.ASCII.GetString(all.ToArray()), FlowFailure.None);
        }
    }

    /// <summary>Sends one datagram (of ICMP: with its sequence number) and gives the answer; or why there is none.</summary>
    public async Task<(byte[]? Answer, FlowFailure Failure)> SendAsync(TransportProtocol protocol, string host, int port, byte[] datagram, string? via = null)
    {
        var (flow, refusal) = await link.OpenDatagramsAsync(new FlowTarget(protocol, host, port, via), CancellationToken.None).AsTask().WaitAsync(3 * Patience);
        if (flow is null)
        {
            return (null, refusal!.Failure);
        }

        await using (flow)
        {
            try
            {
                await flow.SendAsync(datagram);
                await flow.FlushAsync();
                var buffer = new byte[65536];
                var length = await flow.ReceiveAsync(buffer).AsTask().WaitAsync(Patience);
                return (buffer[..length], FlowFailure.None);
            }
            catch (FlowAbortedException e)
            {
                return (null, e.Failure);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await link.DisposeAsync();
        foreach (var relay in relays)
        {
            await relay.DisposeAsync();
        }

        certificate.Dispose();
        authority.Dispose();
    }

    private async Task<TAnswer> PostAsync<TRequest, TAnswer>(string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TAnswer> answerType)
    {
        using var response = await link.Api.PostAsync(path, JsonContent.Create(request, requestType)).WaitAsync(Patience);
        var body = await response.Content.ReadAsStringAsync();
        if (!response.IsSuccessStatusCode)
        {
            throw new Fairlead.Contracts.Errors.FairleadException(JsonSerializer.Deserialize(body, GatewayJson.Default.ErrorResponse)!.Error);
        }

        return JsonSerializer.Deserialize(body, answerType)!;
    }
}
