using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Spaces;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A whole daemon on a fake host with a fake gateway, asked over its real socket.</summary>
internal sealed class TestDaemon : IAsyncDisposable
{
    /// <summary>Only a test that fails waits this long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly RunningDaemon daemon;

    private TestDaemon(RunningDaemon daemon, FakeHost host, FakeGateway gateway, ICompanions companions)
    {
        this.daemon = daemon;
        Host = host;
        Gateway = gateway;
        Companions = companions;
        Socket = Path.Combine(host.RunDirectory, "daemon.sock");
        Client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
            PooledConnectionLifetime = TimeSpan.Zero,
        })
        { BaseAddress = new Uri("http://daemon"), Timeout = Patience };
    }

    public FakeHost Host { get; }

    public FakeGateway Gateway { get; }

    public ICompanions Companions { get; }

    public HttpClient Client { get; }

    public string Socket { get; }

    public RunningDaemon Daemon => daemon;

    public static async Task<TestDaemon> StartAsync(FakeHost host, FakeGateway gateway)
    {
        ICompanions? companions = null;
        var links = (ILoggerFactory _, ICompanions made) =>
        {
            companions = made;
            return (ILinks)gateway;
        };
        var daemon = await RunningDaemon.StartAsync(new DaemonOptions(), host, host.Journal, links, TimeProvider.System, CancellationToken.None);
        return new TestDaemon(daemon, host, gateway, companions!);
    }

    public static ServiceRecord Service(string ns, string name, params int[] ports) =>
        new(ns, name, ServiceKind.ClusterIP, [.. ports.Select(port => new ServicePort("", port, TransportProtocol.Tcp))], []);

    public Task<SpaceStatus> JoinAsync(string? token = null) =>
        SendAsync(HttpMethod.Post, LocalApi.Join, JsonContent.Create(new JoinRequest(token ?? Gateway.Token()), LocalJson.Default.JoinRequest), LocalJson.Default.SpaceStatus);

    public Task<ConsumeState> ConsumeAsync(params string[] rules) => ConsumeAsync(new ConsumeRequest(Add: rules));

    public Task<ConsumeState> ConsumeAsync(ConsumeRequest request, string query = "") =>
        SendAsync(HttpMethod.Post, LocalApi.Consume + query, JsonContent.Create(request, LocalJson.Default.ConsumeRequest), LocalJson.Default.ConsumeState);

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type) => SendAsync(HttpMethod.Get, path, null, type);

    public async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? content, JsonTypeInfo<T> type)
    {
        using var response = await SendAsync(method, path, content);
        return (await response.Content.ReadFromJsonAsync(type))!;
    }

    /// <exception cref="FairleadException">What the daemon answered, when that was an error.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        var response = await Client.SendAsync(request);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        var error = (await response.Content.ReadFromJsonAsync(LocalJson.Default.ErrorResponse))!.Error;
        response.StatusCode.ShouldBe((HttpStatusCode)Fairlead.Daemon.Api.Answers.StatusOf(error.Category));
        throw new FairleadException(error);
    }

    public async Task<ErrorInfo> FailAsync(Func<Task> call) => (await Should.ThrowAsync<FairleadException>(call)).Error;

    /// <summary>Watches until the state is as it should be.</summary>
    public async Task<T> WaitForAsync<T>(string path, JsonTypeInfo<T> type, Predicate<T> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, path + "?watch=true");
        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(patience.Token));
        while (await reader.ReadLineAsync(patience.Token) is { } line)
        {
            if (JsonSerializer.Deserialize(line, type)! is var state && condition(state))
            {
                return state;
            }
        }

        throw new InvalidOperationException("The watch ended before the state was as it should be.");
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await daemon.DisposeAsync();
    }
}
