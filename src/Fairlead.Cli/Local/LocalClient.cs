using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Local;

/// <summary>Asks the daemon over its unix socket. Every failure comes out as a <see cref="FairleadException"/>.</summary>
internal sealed class LocalClient : IDisposable
{
    /// <summary>Longer than anything the daemon waits for by itself, so that its own reason is what a person reads.</summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(90);

    private HttpClient? _http;

    /// <summary>Connected, and not yet taken by <see cref="_http"/>.</summary>
    private Stream? _first;

    public LocalClient(string socket) => Socket = socket;

    public string Socket { get; }

    public void Dispose()
    {
        _http?.Dispose();
        _first?.Dispose();
    }

    /// <summary>Whether a daemon answers; anything but "nobody listens there" is an error all the same.</summary>
    public async Task<DaemonStatus?> TryGetStatusAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await GetAsync(LocalApi.Status, LocalJson.Default.DaemonStatus, cancellationToken);
        }
        catch (FairleadException e) when (e.Error.Code == LocalErrors.NotRunning)
        {
            return null;
        }
    }

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        AskAsync(new HttpRequestMessage(HttpMethod.Get, path), type, cancellationToken);

    public Task<TAnswer> SendAsync<TBody, TAnswer>(HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TAnswer> type, CancellationToken cancellationToken) =>
        AskAsync(new HttpRequestMessage(method, path) { Content = JsonContent.Create(body, bodyType) }, type, cancellationToken);

    public async Task SendAsync(HttpMethod method, string path, HttpContent? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bounded.CancelAfter(AnswerTimeout);
        using var response = await SendAsync(request, bounded.Token, cancellationToken);
    }

    /// <summary>The whole state each time it changes, until cancelled or until the daemon ends.</summary>
    public async IAsyncEnumerable<T> WatchAsync<T>(string path, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, LocalPath.With(path, "watch", "true"));
        using var response = await SendAsync(request, cancellationToken, cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await ReadLineAsync(reader, cancellationToken) is { } line)
        {
            if (line.Length > 0)
            {
                yield return Parse(line, type, path);
            }
        }
    }

    /// <summary>Copies text as it comes (the log).</summary>
    public async Task CopyTextAsync(string path, TextWriter target, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var response = await SendAsync(request, cancellationToken, cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await ReadLineAsync(reader, cancellationToken) is { } line)
        {
            await target.WriteLineAsync(line.AsMemory(), cancellationToken);
            await target.FlushAsync(cancellationToken);
        }
    }

    /// <summary>The next line; null at the end, also when the daemon went away in the middle.</summary>
    private static async Task<string?> ReadLineAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadLineAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Connects before anything of HTTP is loaded: that nobody listens is told in half the time.</summary>
    private HttpClient Open(CancellationToken cancellationToken)
    {
        if (_http is null)
        {
            _first = Connect(Socket, cancellationToken);
            _http = MakeHttp();
        }

        return _http;
    }

    private HttpClient MakeHttp() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectCallback = (_, cancellationToken) => ValueTask.FromResult<Stream>(Interlocked.Exchange(ref _first, null) ?? Connect(Socket, cancellationToken)),
    })
    {
        BaseAddress = new Uri("http://daemon"),
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private static NetworkStream Connect(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // A unix socket connects or fails at once (connect(2)); the synchronous call needs less of the runtime.
            cancellationToken.ThrowIfCancellationRequested();
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw LocalErrors.Connect(path, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<T> AskAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using (request)
        {
            using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            bounded.CancelAfter(AnswerTimeout);
            var path = request.RequestUri?.OriginalString ?? "";
            try
            {
                using var response = await SendAsync(request, bounded.Token, cancellationToken);
                return Parse(await response.Content.ReadAsStringAsync(bounded.Token), type, path);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw LocalErrors.NoAnswer(path, AnswerTimeout);
            }
        }
    }

    private static T Parse<T>(string text, JsonTypeInfo<T> type, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(text, type) ?? throw LocalErrors.BadAnswer(path, "it holds nothing");
        }
        catch (JsonException e)
        {
            throw LocalErrors.BadAnswer(path, e.Message);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken bounded, CancellationToken asked)
    {
        var path = request.RequestUri?.OriginalString ?? "";
        HttpResponseMessage response;
        try
        {
            response = await Open(bounded).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, bounded);
        }
        catch (HttpRequestException e)
        {
            throw e.InnerException is FairleadException known ? known : LocalErrors.Broken(path, e);
        }
        catch (OperationCanceledException) when (!asked.IsCancellationRequested)
        {
            throw LocalErrors.NoAnswer(path, AnswerTimeout);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw new FairleadException(await ReadErrorAsync(response, path, bounded));
        }
    }

    private static async Task<ErrorInfo> ReadErrorAsync(HttpResponseMessage response, string path, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            if (JsonSerializer.Deserialize(text, LocalJson.Default.ErrorResponse) is { } body)
            {
                return body.Error;
            }
        }
        catch (JsonException)
        {
            // Not one of ours (a daemon of another version): the status is all there is to tell.
        }

        return LocalErrors.BadAnswer(path, $"it answered {(int)response.StatusCode} {response.ReasonPhrase}").Error;
    }
}
