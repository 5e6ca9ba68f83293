using System.Runtime.InteropServices;

namespace Shop;

internal static class Signals
{
    /// <summary>Runs until SIGTERM or SIGINT, for roles without a web host that would see to it.</summary>
    public static async Task RunUntilStoppedAsync(Func<CancellationToken, Task> run)
    {
        using var stopping = new CancellationTokenSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stopping.Cancel();
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        try
        {
            await run(stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // asked to stop
        }
    }
}
