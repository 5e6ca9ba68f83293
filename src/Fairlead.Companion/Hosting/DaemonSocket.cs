using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Companion.Hosting;

/// <summary>Connections to the daemon's local API that become byte streams by an HTTP upgrade (RFC 9110 §7.8).</summary>
internal sealed class DaemonSocket : IDisposable
{
    private readonly HttpMessageInvoker invoker;

    public DaemonSocket(string path) => invoker = new HttpMessageInvoker(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectCallback = async (_, cancellationToken) =>
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
        },
    });

    /// <summary>The caller owns the stream.</summary>
    /// <exception cref="FairleadException">The daemon refused.</exception>
    /// <exception cref="HttpRequestException">No daemon answers.</exception>
    public async Task<Stream> UpgradeAsync(string path, string protocol, string? server, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri("http://daemon"), path));
        request.Headers.Connection.Add("Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", protocol);
        if (server is not null)
        {
            request.Headers.TryAddWithoutValidation(CompanionApi.ServerHeader, server);
        }

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
