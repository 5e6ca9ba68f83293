using Fairlead.Tunnel;

namespace Fairlead.Tests.Tunnel;

internal static class FlowProperties
{
    /// <summary>Through an echo: writes of random sizes, reads of random sizes, then half-close; what comes back is what was sent.</summary>
    public static async Task EchoesRandomChunksAsync(IFlow flow, int seed, int total)
    {
        var random = new Random(seed);
        var sent = new byte[random.Next(1, total)];
        random.NextBytes(sent);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using (flow)
        {
            var reading = Task.Run(
                async () =>
                {
                    var sizes = new Random(seed + 1);
                    using var all = new MemoryStream();
                    var buffer = new byte[300_000];
                    while (true)
                    {
                        if (sizes.Next(3) == 0)
                        {
                            await flow.ReadAsync(Memory<byte>.Empty, patience.Token);
                        }

                        var count = await flow.ReadAsync(buffer.AsMemory(0, Size(sizes, buffer.Length)), patience.Token);
                        if (count == 0)
                        {
                            return all.ToArray();
                        }

                        all.Write(buffer, 0, count);
                    }
                },
                patience.Token);
            for (var position = 0; position < sent.Length;)
            {
                var count = Math.Min(Size(random, 300_000), sent.Length - position);
                await flow.WriteAsync(sent.AsMemory(position, count), patience.Token);
                position += count;
            }

            await flow.CompleteWritesAsync(patience.Token);
            (await reading).AsSpan().SequenceEqual(sent).ShouldBeTrue($"seed {seed}");
        }
    }

    /// <summary>What a service does that answers when the request has ended: three bytes for each that came.</summary>
    public static async Task AnswerTriplyAsync(IIncomingFlow incoming, CancellationToken cancellationToken)
    {
        await using var far = await incoming.AcceptAsync(cancellationToken);
        var request = await FlowReading.ToEndAsync(far);
        await far.WriteAsync(new byte[request.Length * 3], cancellationToken);
        await far.CompleteWritesAsync(cancellationToken);
    }

    /// <summary>To <see cref="AnswerTriplyAsync"/>: a half-close leaves the other way open.</summary>
    public static async Task BringsTheAnswerAfterAHalfCloseAsync(IFlow flow, int length)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using (flow)
        {
            await flow.WriteAsync(new byte[length], patience.Token);
            await flow.CompleteWritesAsync(patience.Token);
            (await FlowReading.ToEndAsync(flow)).Length.ShouldBe(3 * length);
        }
    }

    /// <summary>Through an echo: more than one batch holds, with an empty datagram and the largest among them.</summary>
    public static async Task EchoesDatagramsOfAllSizesAsync(IDatagramFlow flow)
    {
        int[] sizes = [512, 0, 1472, 65507, 1, 65507, .. Enumerable.Range(0, 300).Select(i => i * 7)];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using (flow)
        {
            foreach (var size in sizes)
            {
                await flow.SendAsync(Numbered(size), patience.Token);
            }

            await flow.FlushAsync(patience.Token);
            var buffer = new byte[65535];
            foreach (var size in sizes)
            {
                buffer[..await flow.ReceiveAsync(buffer, patience.Token)].ShouldBe(Numbered(size));
            }

            flow.HasDatagram.ShouldBeFalse();
        }

        static byte[] Numbered(int size) => [.. Enumerable.Range(size, size).Select(i => (byte)i)];
    }

    /// <summary>Small, medium and large alike: sizes at the edges of records and frames are where mistakes live.</summary>
    private static int Size(Random random, int max) => random.Next(4) switch
    {
        0 => random.Next(1, 10),
        1 => random.Next(1, 2000),
        2 => 16384 - 8 + random.Next(16),
        _ => random.Next(1, max),
    };
}
