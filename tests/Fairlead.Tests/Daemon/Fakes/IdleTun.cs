using System.Net;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A device through which nothing comes.</summary>
internal sealed class IdleTun(int index) : ITunCapture
{
    private readonly TaskCompletionSource<HostException?> lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource ended = new();

    public TunDevice Device { get; } = new("fairlead0", index, 1500, IPAddress.Parse("246.255.72.1"), null);

    public TunCounters Counters { get; } = new(0, 0, 0);

    public Task<HostException?> Lost => lost.Task;

    public bool IsDisposed => ended.IsCancellationRequested;

    /// <summary>As when somebody deletes it.</summary>
    public void Lose()
    {
        ended.Cancel();
        lost.TrySetResult(new HostException("the device was deleted"));
    }

    public async ValueTask<ITunConnection> AcceptAsync(CancellationToken cancellationToken) => await NeverAsync<ITunConnection>(cancellationToken);

    public async ValueTask<TunEcho> ReceiveEchoAsync(CancellationToken cancellationToken) => await NeverAsync<TunEcho>(cancellationToken);

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) => await NeverAsync<CapturedDatagram>(cancellationToken);

    public ValueTask SendAsync(IPEndPoint source, IPEndPoint client, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public void Reply(TunEcho echo, ReadOnlySpan<byte> data)
    {
    }

    public void Refuse(TunEcho echo, CaptureRefusal refusal)
    {
    }

    public void Refuse(IPEndPoint destination, IPEndPoint client, ReadOnlySpan<byte> payload, CaptureRefusal refusal)
    {
    }

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        lost.TrySetResult(null);
    }

    private async Task<T> NeverAsync<T>(CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, ended.Token);
        try
        {
            await Task.Delay(Timeout.Infinite, either.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ObjectDisposedException("The capture was disposed.", e);
        }

        throw new InvalidOperationException("never ended");
    }
}
