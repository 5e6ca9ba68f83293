using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Companion.Hosting;

/// <summary>Connections to the daemon: to its local API, which become byte streams by an HTTP upgrade (RFC 9110 §7.8), and those of carriers.</summary>
internal sealed class DaemonSocket : IDisposable
{
    private readonly HttpMessageInvoker invoker;
    private readonly string carriers;

    public DaemonSocket(string path)
    {
        carriers = CompanionApi.CarrierSocketOf(path);
        invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectCallback = async (_, cancellationToken) => await ConnectAsync(path, cancellationToken),
        });
    }

    /// <summary>A carrier's connection; the caller owns it.</summary>
    /// <exception cref="SocketException">No daemon is there.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<Stream> CarryAsync(CarrierGreeting greeting, CancellationToken cancellationToken)
    {
        var stream = await ConnectAsync(carriers, cancellationToken);
        try
        {
            await greeting.WriteAsync(stream, cancellationToken);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>The caller owns the stream.</summary>
    /// <exception cref="FairleadException">The daemon refused.</exception>
    /// <exception cref="HttpRequestException">No daemon answers.</exception>
    public async Task<Stream> UpgradeAsync(string path, string protocol, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri("http://daemon"), path));
        request.Headers.Connection.Add("Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", protocol);
        var response = await invoker.SendAsync(request, cancellationToken);
        if (response.StatusCode == System.Net.HttpStatusCode.SwitchingProtocols)
        {
            // Disposing the stream ends the connection, which is all that the response holds.
            return await response.Content.ReadAsStreamAsync(cancellationToken);
        }

        using (response)
        {
            throw await RefusalAsync(response, cancellationToken);
        }
    }

    public void Dispose() => invoker.Dispose();

    private static async Task<NetworkStream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<FairleadException> RefusalAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            if (await response.Content.ReadFromJsonAsync(LocalJson.Default.ErrorResponse, cancellationToken) is { } answer)
            {
                return new FairleadException(answer.Error);
            }
        }
        catch (JsonException)
        {
            // No error of ours: the status is all there is to tell.
        }

        return new FairleadException(ErrorCategory.Usage, "companion-version", "The daemon does not know companions", $"it answered {(int)response.StatusCode}", "Compare 'fairlead version' with the daemon's ('fairlead status').");
    }
}
