using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

public sealed class StreamTests(RunningServer server) : IClassFixture<RunningServer>
{
    private static CancellationToken Deadline => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Log_is_that_of_the_only_container()
    {
        using var log = await server.OpenAsync($"{await NewPodAsync()}/log?tailLines=3");

        (await log.ReadToEndAsync(Deadline)).ShouldBe("p/c tail=3\n");
    }

    [Fact]
    public async Task Log_of_a_container_that_is_not_there_is_refused() =>
        (await server.SendAsync("GET", $"{await NewPodAsync()}/log?container=x")).Code.ShouldBe(400);

    [Fact]
    public async Task Exec_without_a_web_socket_is_refused() =>
        (await server.SendAsync("POST", $"{await NewPodAsync()}/exec?command=echo")).Code.ShouldBe(400);

    [Theory]
    [InlineData("v5.channel.k8s.io", "echo", "Success")]
    [InlineData("v5.channel.k8s.io", "echo&command=3", "NonZeroExitCode")]
    public async Task Exec_carries_input_output_and_exit_code(string protocol, string command, string expected)
    {
        using var socket = await server.ConnectAsync($"{await NewPodAsync()}/exec?command={command}&stdin=1&stdout=1", protocol);

        await SendAsync(socket, [0, .. "hello"u8]);
        (await ReceiveAsync(socket)).ShouldBe([1, .. "hello"u8.ToArray()]);
        await SendAsync(socket, [255, 0]); // No more input.

        var last = await ReceiveAsync(socket);
        last[0].ShouldBe((byte)3);
        var status = JsonNode.Parse(last.AsSpan(1));
        (status.Text("reason") ?? status.Text("status")).ShouldBe(expected);
        (await socket.ReceiveAsync(new byte[16], Deadline)).MessageType.ShouldBe(WebSocketMessageType.Close);
    }

    [Fact]
    public async Task Exec_that_cannot_start_says_why()
    {
        using var socket = await server.ConnectAsync($"{await NewPodAsync()}/exec?command=missing&stdout=1", "v4.channel.k8s.io");

        var last = await ReceiveAsync(socket);

        last[0].ShouldBe((byte)3);
        JsonNode.Parse(last.AsSpan(1)).Text("message").ShouldBe("no such program");
    }

    [Fact]
    public async Task Port_forward_names_its_ports_and_carries_bytes()
    {
        using var socket = await server.ConnectAsync($"{await NewPodAsync()}/portforward?ports=8080", "v4.channel.k8s.io");

        (await ReceiveAsync(socket)).ShouldBe([0, 0x90, 0x1f]);
        (await ReceiveAsync(socket)).ShouldBe([1, 0x90, 0x1f]);
        await SendAsync(socket, [0, .. "ping"u8]);
        (await ReceiveAsync(socket)).ShouldBe([0, .. "ping"u8.ToArray()]);
    }

    [Fact]
    public async Task Port_forward_to_what_refuses_says_so_and_ends()
    {
        using var socket = await server.ConnectAsync($"{await NewPodAsync()}/portforward?ports=81", "v4.channel.k8s.io");
        await ReceiveAsync(socket);
        await ReceiveAsync(socket);

        var error = await ReceiveAsync(socket);

        error[0].ShouldBe((byte)1);
        Encoding.UTF8.GetString(error.AsSpan(1)).ShouldContain("connection refused");
        (await socket.ReceiveAsync(new byte[16], Deadline)).MessageType.ShouldBe(WebSocketMessageType.Close);
    }

    private async Task<string> NewPodAsync()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/pods";
        await server.SendAsync("POST", path, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"host"}]}}""");
        return $"{path}/p";
    }

    private static Task SendAsync(ClientWebSocket socket, byte[] message) =>
        socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, Deadline);

    private static async Task<byte[]> ReceiveAsync(ClientWebSocket socket)
    {
        var buffer = new byte[4096];
        var message = await socket.ReceiveAsync(buffer, Deadline);
        message.MessageType.ShouldBe(WebSocketMessageType.Binary);
        return buffer[..message.Count];
    }
}
