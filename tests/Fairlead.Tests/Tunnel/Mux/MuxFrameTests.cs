using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Mux;

namespace Fairlead.Tests.Tunnel.Mux;

public sealed class MuxFrameTests
{
    [Theory]
    [InlineData(MuxFrameType.Open, 4, 1u)]
    [InlineData(MuxFrameType.Answer, 1, uint.MaxValue)]
    [InlineData(MuxFrameType.Data, MuxHeader.MaxData, 7u)]
    [InlineData(MuxFrameType.Fin, 0, 7u)]
    [InlineData(MuxFrameType.Abort, 1024, 7u)]
    [InlineData(MuxFrameType.Abort, 1, 0u)]
    [InlineData(MuxFrameType.Credit, 4, 7u)]
    [InlineData(MuxFrameType.Ping, 0, 0u)]
    [InlineData(MuxFrameType.Goodbye, 1, 0u)]
    internal void Header_written_and_parsed_is_the_same(MuxFrameType type, int length, uint flow)
    {
        var bytes = new byte[MuxHeader.Size];
        new MuxHeader(type, length, flow).Write(bytes);
        MuxHeader.TryParse(bytes, out var parsed).ShouldBeTrue();
        parsed.ShouldBe(new MuxHeader(type, length, flow));
    }

    [Theory]
    [InlineData((MuxFrameType)0, 0, 1u)]
    [InlineData((MuxFrameType)10, 0, 1u)]
    [InlineData(MuxFrameType.Data, 0, 1u)]
    [InlineData(MuxFrameType.Data, MuxHeader.MaxData + 1, 1u)]
    [InlineData(MuxFrameType.Data, 1, 0u)]
    [InlineData(MuxFrameType.Open, 3, 1u)]
    [InlineData(MuxFrameType.Open, 1025, 1u)]
    [InlineData(MuxFrameType.Fin, 1, 1u)]
    [InlineData(MuxFrameType.Credit, 3, 1u)]
    [InlineData(MuxFrameType.Goodbye, 1, 1u)]
    internal void Header_that_no_peer_may_send_is_rejected(MuxFrameType type, int length, uint flow)
    {
        var bytes = new byte[MuxHeader.Size];
        new MuxHeader(type, length, flow).Write(bytes);
        MuxHeader.TryParse(bytes, out _).ShouldBeFalse();
    }

    [Fact]
    public void Open_says_its_flow_and_its_target()
    {
        var target = new FlowTarget(TransportProtocol.Tcp, "10.0.0.1", 80, "shop/deployment/web");
        var frame = MuxFrames.Open(7, target);
        MuxHeader.TryParse(frame, out var header).ShouldBeTrue();
        header.ShouldBe(new MuxHeader(MuxFrameType.Open, frame.Length - MuxHeader.Size, 7));
        FrameCodec.ParseOpen(frame.AsSpan(MuxHeader.Size)).ShouldBe(target);
    }

    [Fact]
    public void Random_headers_are_rejected_or_parsed_within_bounds()
    {
        var random = new Random(20261121);
        var bytes = new byte[MuxHeader.Size];
        var parsed = 0;
        for (var round = 0; round < 50_000; round++)
        {
            random.NextBytes(bytes);
            bytes[0] = (byte)random.Next(12);
            bytes[1] = (byte)random.Next(2);
            if (MuxHeader.TryParse(bytes, out var header))
            {
                parsed++;
                header.Length.ShouldBeInRange(0, header.Type == MuxFrameType.Data ? MuxHeader.MaxData : MuxHeader.MaxControl);
            }
        }

        parsed.ShouldBeGreaterThan(1000);
    }
}
