using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Local;

/// <summary>Asks the daemon over its unix socket. Every failure comes out as a <see cref="FairleadException"/>.</summary>
internal sealed class LocalClient(string socket)
{
    /// <summary>Longer than anything the daemon waits for by itself, so that its own reason is what a person reads.</summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(90);

    private string? _daemonVersion;

    public string Socket => socket;

    /// <summary>The daemon said that this user's companion is needed and not there.</summary>
    public bool CompanionIsWanted { get; private set; }

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

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) => SendAsync("GET", path, type, cancellationToken);

    /// <summary>For answers that say nothing but that it worked.</summary>
    public Task SendAsync(string method, string path, CancellationToken cancellationToken) => AskAsync(method, path, null, _ => true, cancellationToken);

    /// <inheritdoc cref="SendAsync(string, string, CancellationToken)"/>
    public Task SendAsync<TBody>(string method, string path, TBody body, JsonTypeInfo<TBody> bodyType, CancellationToken cancellationToken) =>
        AskAsync(method, path, JsonSerializer.SerializeToUtf8Bytes(body, bodyType), _ => true, cancellationToken);

    public Task<TAnswer> SendAsync<TBody, TAnswer>(string method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TAnswer> type, CancellationToken cancellationToken) =>
        AskAsync(method, path, JsonSerializer.SerializeToUtf8Bytes(body, bodyType), answer => Parse(answer, type, path), cancellationToken);

    public Task<T> SendAsync<T>(string method, string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        AskAsync(method, path, null, body => Parse(body, type, path), cancellationToken);

    /// <summary>The whole state each time it changes, until cancelled or until the daemon ends.</summary>
    public async IAsyncEnumerable<T> WatchAsync<T>(string path, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var exchange = await OpenAsync("GET", LocalPath.With(path, "watch", "true"), null, cancellationToken);
        while (await ReadLineAsync(exchange, cancellationToken) is { } line)
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
        using var exchange = await OpenAsync("GET", path, null, cancellationToken);
        while (await ReadLineAsync(exchange, cancellationToken) is { } line)
        {
            await target.WriteLineAsync(Encoding.UTF8.GetString(line.Span).AsMemory(), cancellationToken);
            await target.FlushAsync(cancellationToken);
        }
    }

    /// <summary>The next line; null at the end, also when the daemon went away in the middle.</summary>
    private static async Task<ReadOnlyMemory<byte>?> ReadLineAsync(LocalExchange exchange, CancellationToken cancellationToken)
    {
        try
        {
            return await exchange.ReadLineAsync(cancellationToken);
        }
        catch (Exception e) when (e is SocketException or InvalidDataException)
        {
            return null;
        }
    }

    private async Task<T> AskAsync<T>(string method, string path, byte[]? body, Func<ReadOnlyMemory<byte>, T> read, CancellationToken cancellationToken)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bounded.CancelAfter(AnswerTimeout);
        try
        {
            using var exchange = await OpenAsync(method, path, body, bounded.Token);
            return read(await exchange.ReadToEndAsync(bounded.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw LocalErrors.NoAnswer(path, AnswerTimeout);
        }
        catch (Exception e) when (e is SocketException or InvalidDataException)
        {
            throw LocalErrors.Broken(path, e);
        }
    }

    /// <summary>The answer's head was read and tells success.</summary>
    private async Task<LocalExchange> OpenAsync(string method, string path, byte[]? body, CancellationToken cancellationToken)
    {
        LocalExchange exchange;
        try
        {
            exchange = LocalExchange.Connect(socket);
        }
        catch (SocketException e)
        {
            throw LocalErrors.Connect(socket, e);
        }

        try
        {
            await exchange.SendAsync(method, path, body, cancellationToken);
            CompanionIsWanted |= exchange.CompanionIsWanted;
            _daemonVersion = exchange.DaemonVersion;
            return exchange.Status is >= 200 and < 300
                ? exchange
                : throw new FairleadException(ReadError(exchange.Status, await exchange.ReadToEndAsync(cancellationToken), path));
        }
        catch (Exception e)
        {
            exchange.Dispose();
            if (e is SocketException or InvalidDataException)
            {
                throw LocalErrors.Broken(path, e);
            }

            throw;
        }
    }

    private T Parse<T>(ReadOnlyMemory<byte> text, JsonTypeInfo<T> type, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(text.Span, type) ?? throw LocalErrors.BadAnswer(path, "it holds nothing", _daemonVersion);
        }
        catch (JsonException e)
        {
            throw LocalErrors.BadAnswer(path, e.Message, _daemonVersion);
        }
    }

    private ErrorInfo ReadError(int status, ReadOnlyMemory<byte> text, string path)
    {
        try
        {
            if (JsonSerializer.Deserialize(text.Span, LocalJson.Default.ErrorResponse) is { } body)
            {
                return body.Error;
            }
        }
        catch (JsonException)
        {
            // Not one of ours (a daemon of another version): the status is all there is to tell.
        }

        return LocalErrors.BadAnswer(path, $"it answered with status {status}", _daemonVersion).Error;
    }
}
