using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Fairlead.Contracts.Network;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Dial;

/// <summary>TCP connections to a gateway, through a proxy (HTTP CONNECT, RFC 9110 §9.3.6) where the environment says so.</summary>
/// <param name="proxy">Default: <see cref="EnvironmentProxy.Current"/>.</param>
internal sealed class GatewayDialer(IWebProxy? proxy = null, TimeProvider? time = null)
{
    /// <summary>A proxy answers when its own connection is made, which takes it seconds at worst; one that says nothing is told before the callers' own patience ends.</summary>
    public static readonly TimeSpan ProxyPatience = TimeSpan.FromSeconds(8);

    private const int MaxProxyAnswer = 8192;

    /// <exception cref="SocketException">Not reachable.</exception>
    /// <exception cref="CarrierException">The proxy refused.</exception>
    public async Task<Socket> ConnectAsync(string host, int port, CancellationToken cancellationToken)
    {
        var target = new UriBuilder("https", host, port).Uri;
        var proxies = proxy ?? ReadEnvironment();
        var via = proxies.IsBypassed(target) ? null : proxies.GetProxy(target);
        if (via is null || via == target)
        {
            return await ConnectDirectlyAsync(host, port, cancellationToken);
        }

        if (via.Scheme != Uri.UriSchemeHttp)
        {
            throw LinkProblems.OfProxy($"{via.Scheme}://{via.Authority}", "only proxies that are spoken to in plain HTTP (http://host:port) are supported");
        }

        using var patience = new CancellationTokenSource(ProxyPatience, time ?? TimeProvider.System);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return await ConnectByProxyAsync(via, proxies.Credentials?.GetCredential(via, "Basic"), $"{(host.Contains(':') ? $"[{host}]" : host)}:{port}", stop.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw LinkProblems.OfProxy(via.Authority, $"it gave no answer within {ProxyPatience.TotalSeconds:0} s", e);
        }
    }

    private static async Task<Socket> ConnectByProxyAsync(Uri via, NetworkCredential? credential, string target, CancellationToken cancellationToken)
    {
        Socket socket;
        try
        {
            socket = await ConnectDirectlyAsync(via.IdnHost, via.Port, cancellationToken);
        }
        catch (SocketException e)
        {
            throw LinkProblems.OfProxy(via.Authority, $"it can't be reached: {e.Message}", e);
        }

        try
        {
            await TunnelAsync(socket, via, credential, target, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<Socket> ConnectDirectlyAsync(string host, int port, CancellationToken cancellationToken)
    {
        var socket = IPAddress.TryParse(host, out var address)
            ? new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            SocketTuning.Apply(socket);
            await socket.ConnectAsync(host, port, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static EnvironmentProxy ReadEnvironment()
    {
        try
        {
            return EnvironmentProxy.Current;
        }
        catch (FormatException e)
        {
            throw LinkProblems.OfProxySettings(e);
        }
    }

    private static async Task TunnelAsync(Socket socket, Uri via, NetworkCredential? credential, string target, CancellationToken cancellationToken)
    {
        var request = new StringBuilder($"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if (credential is not null)
        {
            request.Append("Proxy-Authorization: Basic ")
                .Append(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.UserName}:{credential.Password}")))
                .Append("\r\n");
        }

        await socket.SendAsync(Encoding.ASCII.GetBytes(request.Append("\r\n").ToString()), cancellationToken);

        // The tunnel's own bytes may follow the answer at once, so no byte after its empty line may be taken: peek, then take just that much.
        var answer = ArrayPool<byte>.Shared.Rent(MaxProxyAnswer);
        try
        {
            var seen = 0;
            while (true)
            {
                var count = await socket.ReceiveAsync(answer.AsMemory(seen, 1), cancellationToken);
                if (count == 0)
                {
                    throw LinkProblems.OfProxy(via.Authority, "it closed the connection without an answer");
                }

                seen++;
                if (answer.AsSpan(0, seen).EndsWith("\r\n\r\n"u8))
                {
                    break;
                }

                if (seen == MaxProxyAnswer)
                {
                    throw LinkProblems.OfProxy(via.Authority, "its answer is not HTTP");
                }
            }

            var status = Encoding.ASCII.GetString(answer.AsSpan(0, answer.AsSpan(0, seen).IndexOf("\r\n"u8)));
            var parts = status.Split(' ', 3);
            if (parts.Length < 2 || !parts[0].StartsWith("HTTP/1.", StringComparison.Ordinal))
            {
                throw LinkProblems.OfProxy(via.Authority, "its answer is not HTTP");
            }

            if (!parts[1].StartsWith('2'))
            {
                throw LinkProblems.OfProxy(via.Authority, parts[1] == "407" ? "it wants a user name and password (407)" : $"it answered '{string.Concat(status.Where(c => !char.IsControl(c)))}'");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(answer);
        }
    }
}
