using Fairlead.Gateway.Health;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Health;

public sealed class SettledMemoryTests
{
    private int _connections;
    private int _handed;

    [Fact]
    public void Connections_that_come_have_memory_handed_back_once_when_no_more_come()
    {
        var memory = Memory();
        foreach (var (connections, handed) in new[] { (2000, 0), (4000, 0), (4100, 1), (4100, 1), (4349, 1) })
        {
            Look(memory, connections, handed);
        }
    }

    [Fact]
    public void Connections_that_go_have_memory_handed_back()
    {
        var memory = Memory();
        foreach (var (connections, handed) in new[] { (4000, 0), (4000, 1), (300, 1), (100, 2), (0, 2) })
        {
            Look(memory, connections, handed);
        }
    }

    [Fact]
    public void Few_connections_are_no_reason()
    {
        var memory = Memory();
        foreach (var connections in new[] { 10, SettledMemory.Many - 1, 0, 100 })
        {
            Look(memory, connections, 0);
        }
    }

    private void Look(SettledMemory memory, int connections, int handed)
    {
        _connections = connections;
        memory.Look();
        _handed.ShouldBe(handed, $"{connections} connections");
    }

    private SettledMemory Memory() => new(() => _connections, TimeProvider.System, NullLogger<SettledMemory>.Instance, () => _handed++);
}
