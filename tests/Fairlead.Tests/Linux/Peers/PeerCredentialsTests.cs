using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Peers;
using Fairlead.Platform;

namespace Fairlead.Tests.Linux.Peers;

public sealed class PeerCredentialsTests
{
    [Fact]
    public void Peer_of_a_local_socket_is_this_process()
    {
        var directory = Directory.CreateTempSubdirectory("fairlead-peer-");
        try
        {
            var path = new UnixDomainSocketEndPoint(Path.Combine(directory.FullName, "socket"));
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(path);
            listener.Listen();
            using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            client.Connect(path);
            using var server = listener.Accept();
            var peer = new PeerCredentials().Of(server);
            peer.Pid.ShouldBe(Environment.ProcessId);
            peer.IsRoot.ShouldBe(Environment.IsPrivilegedProcess);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("         0          0 4294967295\n", "65534\n", null)]
    [InlineData("         0       1000          1\n         1     100000      65536\n", "65534\n", 65534u)]
    [InlineData("         0     100000      65536\n", "99\n", 99u)]
    [InlineData("", "", 65534u)]
    public void Users_of_other_user_namespaces_are_nobody(string map, string overflow, uint? nameless) => new PeerCredentials(map, overflow).Nameless.ShouldBe(nameless);

    [Fact]
    public void Socket_without_a_local_peer_is_an_error()
    {
        using var unconnected = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Should.Throw<HostException>(() => new PeerCredentials().Of(unconnected));
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        Should.Throw<HostException>(() => new PeerCredentials().Of(client));
    }
}
