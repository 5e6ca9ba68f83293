using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Runtime.ExceptionServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Fairlead.Kubernetes;

/// <summary>
/// Connections to one API server: TLS, proxy, credentials, and the repeats that a server asks for (401 with credentials that can be
/// refreshed, 429 and 503 with Retry-After). Every failure to get an answer becomes a <see cref="KubernetesException"/>.
/// </summary>
internal sealed class Transport(ClusterConnection connection, TimeProvider time) : IDisposable
{
    private const int MaxRepeats = 5;
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromSeconds(30);
    private static readonly ProductInfoHeaderValue UserAgent = new("fairlead", typeof(Transport).Assembly.GetName().Version?.ToString(3) ?? "0");

    private readonly Lock _lock = new();
    private Pool? _pool;
    private bool _disposed;

    /// <summary>Sends and returns the response with its body not read yet, whatever its status. The caller disposes it.</summary>
    public async Task<HttpResponseMessage> SendAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        var refreshed = false;
        for (var repeats = 0; ; repeats++)
        {
            var credential = await connection.Credentials.GetAsync(time, cancellationToken);
            var response = await SendOnceAsync(request, credential, cancellationToken);
            if (response.StatusCode == HttpStatusCode.Unauthorized && !refreshed && connection.Credentials.Reject(credential))
            {
                refreshed = true;
                response.Dispose();
            }
            else if (RetryAfter(response) is { } wait && repeats < MaxRepeats)
            {
                response.Dispose();
                await Task.Delay(wait, time, cancellationToken);
            }
            else
            {
                return response;
            }
        }
    }

    /// <summary>Opens a WebSocket with the same TLS, proxy and credentials.</summary>
    /// <exception cref="KubernetesException">Refused, with the server's Status, or no answer.</exception>
    public Task<WebSocket> UpgradeAsync(string path, IReadOnlyList<string> protocols, CancellationToken cancellationToken)
    {
        var request = new ApiRequest(HttpMethod.Get, path);
        return AuthenticatedAsync(credential => UpgradeOnceAsync(request, protocols, credential, cancellationToken), cancellationToken);
    }

    /// <summary>Opens a connection that changes its protocol after a POST (RFC 9110 §7.8), with the same TLS, proxy and credentials.</summary>
    /// <param name="protocol">As the header Upgrade has it.</param>
    /// <param name="agreed">A header that says more about it, and must be in the answer, too.</param>
    /// <exception cref="KubernetesException">Refused, with the server's Status, or no answer.</exception>
    public Task<Stream> UpgradeAsync(string path, string protocol, (string Name, string Value) agreed, CancellationToken cancellationToken)
    {
        var request = new ApiRequest(HttpMethod.Post, path);
        return AuthenticatedAsync(credential => UpgradeOnceAsync(request, protocol, agreed, credential, cancellationToken), cancellationToken);
    }

    private async Task<T> AuthenticatedAsync<T>(Func<Credential, Task<T>> action, CancellationToken cancellationToken)
    {
        for (var refreshed = false; ; refreshed = true)
        {
            var credential = await connection.Credentials.GetAsync(time, cancellationToken);
            try
            {
                return await action(credential);
            }
            catch (KubernetesException e) when (e.Code == 401 && !refreshed && connection.Credentials.Reject(credential))
            {
                // Once more, with fresh credentials.
            }
        }
    }

    private Uri Url(string path) => new(connection.Server.AbsoluteUri.TrimEnd('/') + path);

    private KubernetesException Explain(string title, HttpRequestException e) =>
        e.HttpRequestError == HttpRequestError.SecureConnectionError || e.InnerException is AuthenticationException
            ? new KubernetesException(0, KubernetesException.Untrusted,
                $"{title}: the TLS connection to {connection.Server} failed: {(e.InnerException ?? e).Message}", inner: e)
            : new KubernetesException(0, KubernetesException.Unreachable,
                $"{title}: no answer from {connection.Server}: {(e.InnerException ?? e).Message}", inner: e);

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _pool?.Invoker.Dispose();
            _pool = null;
        }
    }

    private async Task<WebSocket> UpgradeOnceAsync(
        ApiRequest request, IReadOnlyList<string> protocols, Credential credential, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(request.Timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        using var invoker = new HttpMessageInvoker(new UpgradeHandler(request.Title, Invoker(credential.Certificate), message => AddHeaders(message, credential)));
        var socket = new ClientWebSocket();
        try
        {
            foreach (var protocol in protocols)
            {
                socket.Options.AddSubProtocol(protocol);
            }

            // Shorter than the idle limits of common load balancers, yet rare: while such a frame is unacknowledged TCP keepalive, which
            // finds a dead peer sooner, is off.
            socket.Options.KeepAliveInterval = TimeSpan.FromMinutes(2);
            var url = new UriBuilder(Url(request.Path)) { Scheme = connection.Server.Scheme == "https" ? "wss" : "ws" }.Uri;
            await socket.ConnectAsync(url, invoker, stop.Token);
            return socket;
        }
        catch (Exception e)
        {
            socket.Dispose();
            throw e switch
            {
                WebSocketException { InnerException: KubernetesException refusal } => refusal,
                WebSocketException { InnerException: HttpRequestException http } => Explain(request.Title, http),
                HttpRequestException http => Explain(request.Title, http),
                WebSocketException => new KubernetesException(0, KubernetesException.Malformed, $"{request.Title}: {e.Message}", inner: e),
                OperationCanceledException when !cancellationToken.IsCancellationRequested => Late(request, e),
                _ => ExceptionDispatchInfo.SetCurrentStackTrace(e),
            };
        }
    }

    private async Task<Stream> UpgradeOnceAsync(
        ApiRequest request, string protocol, (string Name, string Value) agreed, Credential credential, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(request.Method, Url(request.Path)) { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        message.Headers.Connection.Add("Upgrade");
        message.Headers.TryAddWithoutValidation("Upgrade", protocol);
        message.Headers.Add(agreed.Name, agreed.Value);
        AddHeaders(message, credential);
        return await AnsweredAsync(request, async stop =>
        {
            var response = await Invoker(credential.Certificate).SendAsync(message, stop);
            if (response.StatusCode == HttpStatusCode.SwitchingProtocols && response.Headers.TryGetValues(agreed.Name, out var values) && values.Contains(agreed.Value))
            {
                // Disposing the stream ends the connection, which is all that the response holds.
                return await response.Content.ReadAsStreamAsync(stop);
            }

            using (response)
            {
                throw response.StatusCode == HttpStatusCode.SwitchingProtocols
                    ? new KubernetesException((int)response.StatusCode, KubernetesException.Malformed, $"{request.Title}: the server changed to {protocol} and not to {agreed.Value}")
                    : await ResponseBody.ReadFailureAsync(request.Title, response, limit: default, stop);
            }
        }, cancellationToken);
    }

    private async Task<HttpResponseMessage> SendOnceAsync(ApiRequest request, Credential credential, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(request.Method, Url(request.Path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        message.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        AddHeaders(message, credential);
        if (request.Body is not null)
        {
            message.Content = new ByteArrayContent(request.Body) { Headers = { ContentType = new MediaTypeHeaderValue(request.ContentType) } };
        }

        return await AnsweredAsync(request, stop => Invoker(credential.Certificate).SendAsync(message, stop), cancellationToken);
    }

    /// <summary>Within the request's time; every failure to get an answer is told as one.</summary>
    private async Task<T> AnsweredAsync<T>(ApiRequest request, Func<CancellationToken, Task<T>> send, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(request.Timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await send(stop.Token);
        }
        catch (HttpRequestException e)
        {
            throw Explain(request.Title, e);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Late(request, e);
        }
    }

    private KubernetesException Late(ApiRequest request, Exception e) => new(0, KubernetesException.Timeout,
        $"{request.Title}: no answer from {connection.Server} within {request.Timeout.TotalSeconds:0} s", inner: e);

    private void AddHeaders(HttpRequestMessage message, Credential credential)
    {
        message.Headers.Authorization = credential.Header;
        message.Headers.UserAgent.Add(UserAgent);
        if (connection.TlsServerName is { } name)
        {
            // SocketsHttpHandler takes the name to verify, and SNI, from here and from nowhere else. API servers don't look at Host.
            message.Headers.Host = name;
        }

        if (connection.ImpersonateUser is { Length: > 0 } user)
        {
            message.Headers.Add("Impersonate-User", user);
            if (connection.ImpersonateGroup is { Length: > 0 } group)
            {
                message.Headers.Add("Impersonate-Group", group);
            }
        }
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable) || response.Headers.RetryAfter is not { } header)
        {
            return null;
        }

        var wait = header.Delta ?? (header.Date - time.GetUtcNow()) ?? TimeSpan.Zero;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait < MaxRetryAfter ? wait : MaxRetryAfter;
    }

    /// <summary>
    /// One pool of connections per client certificate, as it is part of the TLS connection. When a plugin gives another certificate the
    /// old pool is let go, not disposed: requests under way, watches among them, finish on it, then its connections idle out.
    /// </summary>
    private HttpMessageInvoker Invoker(SslStreamCertificateContext? certificate)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_pool is null || _pool.Certificate != certificate)
            {
                _pool = new Pool(certificate, new HttpMessageInvoker(CreateHandler(certificate)));
            }

            return _pool.Invoker;
        }
    }

    private SocketsHttpHandler CreateHandler(SslStreamCertificateContext? certificate)
    {
        var tls = new SslClientAuthenticationOptions { ClientCertificateContext = certificate };
        if (connection.SkipTlsVerify)
        {
#pragma warning disable CA5359 // the kubeconfig says insecure-skip-tls-verify
            tls.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (connection.CertificateAuthorities is { } authorities)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(authorities);
            tls.CertificateChainPolicy = policy;
        }

        var handler = new SocketsHttpHandler
        {
            SslOptions = tls,
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = connection.DisableCompression ? DecompressionMethods.None : DecompressionMethods.GZip,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            EnableMultipleHttp2Connections = true,

            // A watch is silent for minutes: pings find out that a middlebox or a vanished server has cut it.
            KeepAlivePingDelay = TimeSpan.FromSeconds(20),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            ConnectCallback = ConnectAsync,
        };
        if (connection.Proxy is { } proxy)
        {
            handler.Proxy = new WebProxy(proxy) { Credentials = ProxyCredentials(proxy) };
        }
        else if (connection.EnvironmentProxy is { } ofEnvironment && connection.Server.Scheme == Uri.UriSchemeHttps)
        {
            handler.Proxy = ofEnvironment;
        }

        return handler;
    }

    private static NetworkCredential? ProxyCredentials(Uri proxy)
    {
        if (proxy.UserInfo.Length == 0)
        {
            return null;
        }

        var parts = proxy.UserInfo.Split(':', 2);
        return new NetworkCredential(Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
    }

    /// <summary>HTTP/1.1 and WebSocket have no pings of their own, so TCP keepalive notices a dead peer there (in about 30 s).</summary>
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 15);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed record Pool(SslStreamCertificateContext? Certificate, HttpMessageInvoker Invoker);
}
