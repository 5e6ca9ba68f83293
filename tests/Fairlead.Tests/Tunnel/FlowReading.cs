using Fairlead.Tunnel;

namespace Fairlead.Tests.Tunnel;

internal static class FlowReading
{
    public static async Task<byte[]> ToEndAsync(IFlow flow)
    {
        using var all = new MemoryStream();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[10_000];
        for (int count; (count = await flow.ReadAsync(buffer, patience.Token)) > 0;)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }
}
