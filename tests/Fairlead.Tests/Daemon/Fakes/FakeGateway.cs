using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Spaces;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A gateway without sockets: a real CA, the API as an HTTP handler, a catalog that tests write, and links that are up or down as they say.</summary>
internal sealed class FakeGateway : HttpMessageHandler, ILinks
{
    private readonly ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly List<Stream> catalogs = [];
    private readonly Lock gate = new();
    private readonly List<CatalogEvent> history = [];

    public FakeGateway(string name = "team", string uid = "11111111-2222")
    {
        Name = name;
        Uid = uid;
        var request = new CertificateRequest("CN=space", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        Authority = request.CreateSelfSigned(Now.AddDays(-1), Now.AddYears(1));
        Hello = new HelloResponse(1, Fairlead.Daemon.ProductVersion.Text, [], name, uid, "invite:alice", "cluster.local", "gw-1", [new("gw", 30443, 30444)],
            Network: new ClusterNetwork(["10.96.0.0/16"], ["10.244.0.0/16"], "cluster.local", "10.96.0.10"));
    }

    public string Name { get; }

    public string Uid { get; }

    public X509Certificate2 Authority { get; }

    public HelloResponse Hello { get; set; }

    /// <summary>Thrown by every call while it is set.</summary>
    public Exception? Unreachable { get; set; }

    /// <summary>Answered to an enrolment or a renewal while it is set.</summary>
    public ErrorInfo? Refusal { get; set; }

    /// <summary>Signs what it is given for enrolments; replaced by tests that forge.</summary>
    public Func<string, CertificateResponse>? Sign { get; set; }

    public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();

    public int Enrolments { get; private set; }

    public int Renewals { get; private set; }

    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(24);

    public List<FakeLink> Links { get; } = [];

    public Func<FlowTarget, FlowOpening<IFlow>> Open { get; set; } = _ => new FlowOpening<IFlow>(null, new FlowRefusal(FlowFailure.ConnectionRefused, "refused"));

    public string Token(Func<JoinToken, JoinToken>? change = null)
    {
        var token = new JoinToken(
            Name, Uid, [new GatewayEndpoint("gw", 30443, 30444)], Convert.ToHexStringLower(Authority.GetCertHash(HashAlgorithmName.SHA256)), "inv", "c2VjcmV0", Now.AddDays(1));
        return (change is null ? token : change(token)).Encode();
    }

    public ISpaceLink Create(SpaceRecord record, X509Certificate2 authority, Func<X509Certificate2> certificate)
    {
        var link = new FakeLink(this);
        Links.Add(link);
        return link;
    }

    public HttpClient CreateBootstrap(JoinToken token) => new(this, disposeHandler: false) { BaseAddress = new Uri("https://gateway") };

    public HttpClient CreateRenewal(SpaceRecord record, X509Certificate2 authority, X509Certificate2 certificate) => new(this, disposeHandler: false) { BaseAddress = new Uri("https://gateway") };

    public CertificateResponse Certify(string pem)
    {
        var request = CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256);
        var subject = new CertificateRequest(new X500DistinguishedName($"CN=invite:alice, O={Uid}"), request.PublicKey, HashAlgorithmName.SHA256);
        using var certificate = subject.Create(Authority.SubjectName, X509SignatureGenerator.CreateForECDsa(authorityKey), Now.AddMinutes(-5), Now + Lifetime, RandomNumberGenerator.GetBytes(16));
        return new CertificateResponse(certificate.ExportCertificatePem(), Authority.ExportCertificatePem(), "invite:alice", Now + Lifetime, Now + (Lifetime * 2 / 3));
    }

    public void Tell(params ServiceRecord[] services) => Publish([.. services.Select(service => new CatalogEvent(CatalogEventType.Put, "p", service))]);

    public void Set(params (string Key, string Value)[] settings) =>
        Publish(new CatalogEvent(CatalogEventType.Heartbeat, "p", Settings: settings.ToDictionary(s => s.Key, s => s.Value)));

    public void Withdraw(ServiceRecord service) => Publish(new CatalogEvent(CatalogEventType.Delete, "p", service));

    /// <summary>The streams break off; followers come back.</summary>
    public void BreakCatalogs()
    {
        lock (gate)
        {
            catalogs.ForEach(stream => stream.Dispose());
            catalogs.Clear();
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (Unreachable is not null)
        {
            throw Unreachable;
        }

        var response = await AnswerAsync(request, cancellationToken);
        response.Headers.Date = Now;
        return response;
    }

    private static HttpResponseMessage Error(HttpStatusCode status, ErrorInfo error) =>
        new(status) { Content = JsonContent.Create(new ErrorResponse(error), GatewayJson.Default.ErrorResponse) };

    private async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        switch (request.RequestUri!.AbsolutePath)
        {
            case GatewayApi.Authority:
                return new HttpResponseMessage { Content = new StringContent(Authority.ExportCertificatePem()) };
            case GatewayApi.Enroll when Refusal is null:
                Enrolments++;
                var enrol = await request.Content!.ReadFromJsonAsync(GatewayJson.Default.EnrollRequest, cancellationToken);
                return Json((Sign ?? Certify)(enrol!.CertificateRequest), GatewayJson.Default.CertificateResponse);
            case GatewayApi.Renew when Refusal is null:
                Renewals++;
                var renew = await request.Content!.ReadFromJsonAsync(GatewayJson.Default.RenewRequest, cancellationToken);
                return Json((Sign ?? Certify)(renew!.CertificateRequest), GatewayJson.Default.CertificateResponse);
            case GatewayApi.Enroll or GatewayApi.Renew:
                return Error(HttpStatusCode.Forbidden, Refusal!);
            case GatewayApi.Hello:
                return Json(Hello, GatewayJson.Default.HelloResponse);
            case GatewayApi.Catalog:
                return new HttpResponseMessage { Content = new StreamContent(BeginCatalog()) };
            default:
                return new HttpResponseMessage(HttpStatusCode.NotFound);
        }
    }

    private static HttpResponseMessage Json<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) => new() { Content = JsonContent.Create(value, type) };

    private Stream BeginCatalog()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var writer = pipe.Writer.AsStream();
        lock (gate)
        {
            Write(writer, [new CatalogEvent(CatalogEventType.Reset, "r"), .. history, new CatalogEvent(CatalogEventType.Synced, "s")]);
            catalogs.Add(writer);
        }

        return pipe.Reader.AsStream();
    }

    private void Publish(params CatalogEvent[] events)
    {
        lock (gate)
        {
            history.AddRange(events);
            catalogs.ForEach(stream => Write(stream, events));
        }
    }

    private static void Write(Stream stream, IEnumerable<CatalogEvent> events)
    {
        foreach (var change in events)
        {
            stream.Write(JsonSerializer.SerializeToUtf8Bytes(change, GatewayJson.Default.CatalogEvent));
            stream.Write("\n"u8);
        }

        stream.Flush();
    }
}

internal sealed class FakeLink(FakeGateway gateway) : ISpaceLink
{
    public event Action<LinkStatus>? Changed;

    public LinkStatus Status { get; private set; } = new(LinkState.Connected, DateTimeOffset.UnixEpoch, null, "direct", "gw:30443", TimeSpan.FromMilliseconds(1), [], []);

    public HttpClient Api { get; } = new(gateway, disposeHandler: false) { BaseAddress = new Uri("https://gateway") };

    public bool IsDisposed { get; private set; }

    public void Set(LinkState state, ErrorInfo? problem = null)
    {
        Status = Status with { State = state, Problem = problem };
        Changed?.Invoke(Status);
    }

    public void Start()
    {
    }

    public int Redials { get; private set; }

    public void Redial() => Redials++;

    public void SetEndpoints(IReadOnlyList<GatewayEndpoint> endpoints)
    {
    }

    public IReadOnlyList<string> Pods { get; private set; } = [];

    public void SetPods(IReadOnlyList<string> pods) => Pods = pods;

    public Task WaitUntilConnectedAsync(CancellationToken cancellationToken) => Status.State switch
    {
        LinkState.Refused => throw new FairleadException(Status.Problem!),
        LinkState.Connected => Task.CompletedTask,
        _ => Task.Delay(Timeout.Infinite, cancellationToken),
    };

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) => ValueTask.FromResult(gateway.Open(target));

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new FlowOpening<IDatagramFlow>(null, new FlowRefusal(FlowFailure.NotFound, "no such port")));

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        Api.Dispose();
        return ValueTask.CompletedTask;
    }
}
