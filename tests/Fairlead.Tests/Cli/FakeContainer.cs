using Fairlead.Cli.Hosting;

namespace Fairlead.Tests.Cli;

/// <summary>A container whose daemon answers on a socket of the test's; remembers what it was told.</summary>
internal sealed class FakeContainer(string socket) : IContainerDaemon
{
    public string Socket => socket;

    /// <summary><c>start IMAGE</c> and <c>stop</c>, in their order.</summary>
    public List<string> Told { get; } = [];

    public Task StartAsync(string? image, CancellationToken cancellationToken)
    {
        Told.Add($"start {image ?? "default"}");
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Told.Add("stop");
        return Task.CompletedTask;
    }
}
