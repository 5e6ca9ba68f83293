using System.Net;

namespace Fairlead.Kubernetes;

/// <summary>Stands between a WebSocket and the connections: adds credentials, and keeps what the server said when it refused.</summary>
internal sealed class UpgradeHandler(string title, HttpMessageInvoker connections, Action<HttpRequestMessage> addHeaders) : HttpMessageHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        addHeaders(request);
        var response = await connections.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            return response;
        }

        using (response)
        {
            throw await ResponseBody.ReadFailureAsync(title, response, limit: default, cancellationToken);
        }
    }
}
