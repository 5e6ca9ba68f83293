using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Fairlead.Contracts.Gateway;
using Fairlead.Testbed;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Bench.Scenarios;

/// <summary>Many laptops in one process: each has a certificate and a link of its own, the catalog open, and flows to nginx in the pod.</summary>
internal static class Crowd
{
    /// <summary>Who is in it, by Grant.</summary>
    public const string Group = "crowd";

    /// <summary>Laptops that connect at the same time; a thousand don't come in one second either.</summary>
    private const int AtOnce = 2;

    /// <summary>A second apart. A machine that plays a thousand laptops and the gateway loses links now and then while they come; a daemon tries again, too.</summary>
    private const int Attempts = 60;

    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly byte[] Request = Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");

    /// <summary>
    /// Connects and says so; at a line of input opens the flows, has one request answered on each, and says so; at each further line waits until every laptop is
    /// connected, but no longer than <see cref="Patience"/>, and says how many are, and how many flows were lost until now. Ends with its input.
    /// </summary>
    /// <param name="authority">A file of <see cref="SpaceAuthority.Pem"/>.</param>
    /// <param name="ports">API and data port: <c>30443:30444</c>. Data port 0: by WebSocket.</param>
    /// <param name="first">Number of the first laptop.</param>
    public static async Task<int> HoldAsync(string authority, string host, string ports, int clients, int first, int flows)
    {
        using var issuer = SpaceAuthority.Parse(await File.ReadAllTextAsync(authority));
        var at = ports.Split(':').Select(p => int.Parse(p, CultureInfo.InvariantCulture)).ToArray();
        var endpoint = new GatewayEndpoint(host, at[0], at[1]);
        var members = new Member[clients];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce };
        await Parallel.ForAsync(0, clients, parallel, async (i, cancellation) =>
        {
            members[i] = new Member(issuer, endpoint, $"crowd-{first + i}");
            await members[i].ConnectAsync(cancellation);
        });
        Console.WriteLine("connected");
        await Console.In.ReadLineAsync();

        // One of each, then the next: a thousand people don't open ten at once each.
        for (var i = 0; i < flows; i++)
        {
            await Parallel.ForEachAsync(members, parallel, async (member, cancellation) => await member.OpenAsync(cancellation));
        }

        Console.WriteLine("open");
        while (await Console.In.ReadLineAsync() is not null)
        {
            using var patience = new CancellationTokenSource(Patience);
            var connected = await Task.WhenAll(members.Select(m => m.IsConnectedAsync(patience.Token)));
            Console.WriteLine($"{connected.Count(c => c)} {members.Sum(m => m.LostFlows)}");
        }

        await Parallel.ForEachAsync(members, parallel, async (member, _) => await member.DisposeAsync());
        return 0;
    }

    private sealed class Member : IAsyncDisposable
    {
        private readonly TunnelLink _link;
        private readonly List<Task<int>> _idle = [];

        public Member(SpaceAuthority issuer, GatewayEndpoint endpoint, string name)
        {
            var root = X509Certificate2.CreateFromPem(issuer.CertificatePem);
            var own = issuer.IssueClient(name, Group);
            _link = new TunnelLink(new TunnelLinkOptions { Endpoints = [endpoint], Tls = new TunnelTls(issuer.SpaceUid, root, () => own) }, NullLogger<TunnelLink>.Instance);
        }

        public int LostFlows => _idle.Count(read => read.IsCompleted);

        public ValueTask DisposeAsync() => _link.DisposeAsync();

        /// <summary>Waits until it is.</summary>
        public async Task<bool> IsConnectedAsync(CancellationToken cancellationToken)
        {
            try
            {
                await _link.WaitUntilConnectedAsync(cancellationToken);
                return true;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }

        public async Task ConnectAsync(CancellationToken cancellationToken)
        {
            _link.Start();
            await _link.WaitUntilConnectedAsync(cancellationToken);
            var answer = await AgainAsync(GreetAsync, cancellationToken);
            _link.SetPods(answer.Pods ?? []);
            _ = AgainAsync(FollowCatalogAsync, CancellationToken.None);
        }

        public async Task OpenAsync(CancellationToken cancellationToken)
        {
            var opening = await _link.OpenAsync(new FlowTarget(TransportProtocol.Tcp, "bench.bench.svc", Bed.Fairlead.Http), early: null, cancellationToken);
            var flow = opening.Flow ?? throw new InvalidOperationException($"a flow was refused: {opening.Refusal}");
            await flow.WriteAsync(Request, cancellationToken);
            var buffer = new byte[1024];
            if (await flow.ReadAsync(buffer, cancellationToken) == 0)
            {
                throw new UnreachableException("nginx ended a connection that it should keep");
            }

            // The answer comes in one piece; what is read next is the end of an idle flow.
            _idle.Add(flow.ReadAsync(Memory<byte>.Empty, CancellationToken.None).AsTask());
        }

        private static async Task<T> AgainAsync<T>(Func<CancellationToken, Task<T>> request, CancellationToken cancellationToken)
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    return await request(cancellationToken);
                }
                catch (Exception e) when (attempt < Attempts && (e is HttpRequestException or IOException or ObjectDisposedException))
                {
                    await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
                }
            }
        }

        private async Task<HelloResponse> GreetAsync(CancellationToken cancellationToken)
        {
            using var hello = new HttpRequestMessage(HttpMethod.Post, GatewayApi.Hello)
            {
                Version = _link.Api.DefaultRequestVersion,
                VersionPolicy = _link.Api.DefaultVersionPolicy,
                Content = JsonContent.Create(new HelloRequest([GatewayApi.ProtocolVersion], "bench", []), GatewayJson.Default.HelloRequest),
            };
            using var greeted = (await _link.Api.SendAsync(hello, cancellationToken)).EnsureSuccessStatusCode();
            return JsonSerializer.Deserialize(await greeted.Content.ReadAsStringAsync(cancellationToken), GatewayJson.Default.HelloResponse)!;
        }

        /// <summary>As a daemon does: until the link ends.</summary>
        private async Task<bool> FollowCatalogAsync(CancellationToken cancellationToken)
        {
            using var watch = new HttpRequestMessage(HttpMethod.Get, GatewayApi.Catalog + "?gateway=true") { Version = _link.Api.DefaultRequestVersion, VersionPolicy = _link.Api.DefaultVersionPolicy };
            using var response = await _link.Api.SendAsync(watch, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            await using var events = await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(cancellationToken);
            await events.CopyToAsync(Stream.Null, cancellationToken);
            return true;
        }
    }
}
