using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Streaming;

/// <summary>
/// exec and attach over a WebSocket: streams 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 the terminal's size; with
/// <c>v5.channel.k8s.io</c> also 255, whose one byte names a stream that the client has closed.
/// </summary>
internal sealed class RemoteCommand : IDisposable
{
    private const byte StdinChannel = 0;
    private const byte StdoutChannel = 1;
    private const byte StderrChannel = 2;
    private const byte StatusChannel = 3;
    private const byte SizeChannel = 4;
    private const byte CloseChannel = 255;

    private readonly ChannelSocket socket;
    private readonly ExecRequest request;
    private readonly CancellationTokenSource end;

    private RemoteCommand(ChannelSocket socket, ExecRequest request, CancellationToken cancellationToken)
    {
        this.socket = socket;
        this.request = request;
        end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <param name="context">The request; it is answered with an upgrade.</param>
    /// <param name="request">The streams that are wanted.</param>
    /// <param name="start">Starts or joins the command; what it fails with is told in the final Status.</param>
    /// <param name="stopping">The server's end.</param>
    public static async Task RunAsync(
        HttpContext context, ExecRequest request, Func<CancellationToken, Task<IExecSession>> start, CancellationToken stopping)
    {
        using var alive = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using var accepted = await ChannelSocket.AcceptAsync(context, "v5.channel.k8s.io", "v4.channel.k8s.io");
        using var command = new RemoteCommand(accepted, request, alive.Token);
        try
        {
            await using var session = await start(alive.Token);
            await command.CarryAsync(session);
        }
        catch (StatusException failure)
        {
            await command.FinishAsync(failure.ToStatus());
            await accepted.DrainAsync(alive.Token);
        }
        catch (Exception failure) when (failure is OperationCanceledException or WebSocketException)
        {
            // The client has gone or the server stops; disposing the session has ended the command.
        }
    }

    public void Dispose() => end.Dispose();

    private async Task CarryAsync(IExecSession session)
    {
        var input = ReceiveAsync(session);
        try
        {
            await Task.WhenAll(
                request.Stdout ? socket.CopyFromAsync(session.Stdout, StdoutChannel, end.Token) : Task.CompletedTask,
                request.Stderr ? socket.CopyFromAsync(session.Stderr, StderrChannel, end.Token) : Task.CompletedTask);
            await FinishAsync(Ended(await session.ExitCode.WaitAsync(end.Token)));
            end.CancelAfter(ChannelSocket.CloseTimeout);
        }
        catch
        {
            await end.CancelAsync();
            throw;
        }
        finally
        {
            await input;
        }
    }

    /// <summary>Everything that the client sends, until it closes; that it has gone ends the command.</summary>
    private async Task ReceiveAsync(IExecSession session)
    {
        try
        {
            while (await socket.ReceiveAsync(end.Token) is { } message)
            {
                if (message.Length > 0)
                {
                    await TakeAsync(session, message.Span[0], message[1..]);
                }
            }

            await end.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // The other direction has ended.
        }
    }

    private async Task TakeAsync(IExecSession session, byte channel, ReadOnlyMemory<byte> data)
    {
        switch (channel)
        {
            case StdinChannel when request.Stdin:
                try
                {
                    await session.Stdin.WriteAsync(data, end.Token);
                    await session.Stdin.FlushAsync(end.Token);
                }
                catch (IOException)
                {
                    // The command has closed its input, which is its right; what it still says is read on.
                }

                break;
            case CloseChannel when data.Length == 1 && data.Span[0] == StdinChannel && request.Stdin:
                await session.Stdin.DisposeAsync();
                break;
            case SizeChannel when request.Tty && ParseSize(data.Span) is var (columns, rows):
                session.Resize(columns, rows);
                break;
        }
    }

    private async Task FinishAsync(JsonObject status)
    {
        byte[] message = [StatusChannel, .. JsonSerializer.SerializeToUtf8Bytes(status, JsonText.Context.JsonObject)];
        await socket.SendAsync(message, end.Token);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", end.Token);
    }

    /// <summary><c>{"Width":80,"Height":24}</c>; null when it is something else.</summary>
    private static (int Columns, int Rows)? ParseSize(ReadOnlySpan<byte> json)
    {
        try
        {
            var size = JsonText.Parse(json);
            return (size.Number("Width"), size.Number("Height")) is (> 0 and <= ushort.MaxValue and var width, > 0 and <= ushort.MaxValue and var height)
                ? ((int)width, (int)height)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static JsonObject Ended(int exitCode)
    {
        var status = new JsonObject { ["metadata"] = new JsonObject(), ["status"] = exitCode == 0 ? "Success" : "Failure" };
        if (exitCode != 0)
        {
            status["message"] = $"command terminated with non-zero exit code: exit status {exitCode}";
            status["reason"] = "NonZeroExitCode";
            var cause = new JsonObject { ["reason"] = "ExitCode", ["message"] = exitCode.ToString() };
            status["details"] = new JsonObject { ["causes"] = new JsonArray(cause) };
        }

        return status;
    }
}
