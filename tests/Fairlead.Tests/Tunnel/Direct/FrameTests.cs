using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tests.Tunnel.Direct;

public sealed class FrameTests
{
    [Theory]
    [InlineData(FrameType.Open, 4)]
    [InlineData(FrameType.Answer, 1)]
    [InlineData(FrameType.Data, 1)]
    [InlineData(FrameType.Data, FrameHeader.MaxData)]
    [InlineData(FrameType.Fin, 0)]
    [InlineData(FrameType.Abort, 1024)]
    [InlineData(FrameType.Ping, 8)]
    internal void Header_written_and_parsed_is_the_same(FrameType type, int length)
    {
        var bytes = new byte[FrameHeader.Size];
        new FrameHeader(type, length).Write(bytes);
        FrameHeader.TryParse(bytes, out var parsed).ShouldBeTrue();
        parsed.ShouldBe(new FrameHeader(type, length));
    }

    [Theory]
    [InlineData(FrameType.End, 0)]
    [InlineData((FrameType)8, 8)]
    [InlineData(FrameType.Data, 0)]
    [InlineData(FrameType.Data, FrameHeader.MaxData + 1)]
    [InlineData(FrameType.Fin, 1)]
    [InlineData(FrameType.Open, 3)]
    [InlineData(FrameType.Open, 1025)]
    [InlineData(FrameType.Abort, 0)]
    [InlineData(FrameType.Pong, 9)]
    internal void Header_that_no_peer_may_send_is_rejected(FrameType type, int length)
    {
        var bytes = new byte[FrameHeader.Size];
        new FrameHeader(type, length).Write(bytes);
        FrameHeader.TryParse(bytes, out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData(TransportProtocol.Tcp, "postgres-0.postgres.shop.svc", 5432, null)]
    [InlineData(TransportProtocol.Tcp, "10.244.0.7", 80, null)]
    [InlineData(TransportProtocol.Tcp, "fd00::7", 80, "shop/deployment/frontend")]
    [InlineData(TransportProtocol.Icmp, "10.244.0.7", 0, null)]
    public void Open_encoded_and_parsed_is_the_same_target(TransportProtocol protocol, string host, int port, string? via)
    {
        var target = new FlowTarget(protocol, host, port, via);
        FrameCodec.ParseOpen(FrameCodec.Open(target).AsSpan(FrameHeader.Size)).ShouldBe(target);
    }

    [Theory]
    [InlineData("", 80)]
    [InlineData("a b", 80)]
    [InlineData("a\n", 80)]
    [InlineData("ok", 0)]
    [InlineData("ok", 65536)]
    public void Open_of_a_target_that_cannot_be_is_refused_before_it_is_sent(string host, int port) =>
        Should.Throw<ArgumentException>(() => FrameCodec.Open(new FlowTarget(TransportProtocol.Tcp, host, port)));

    [Theory]
    [InlineData(TransportProtocol.Tcp, 80, "")]
    [InlineData(TransportProtocol.Tcp, 80, "a b")]
    [InlineData(TransportProtocol.Icmp, 80, null)]
    [InlineData((TransportProtocol)3, 80, null)]
    public void Open_of_a_way_that_cannot_be_is_refused_before_it_is_sent(TransportProtocol protocol, int port, string? via) =>
        Should.Throw<ArgumentException>(() => FrameCodec.Open(new FlowTarget(protocol, "10.0.0.1", port, via)));

    [Fact]
    public void Message_of_an_outcome_loses_control_characters()
    {
        var frame = FrameCodec.Outcome(FrameType.Abort, FlowFailure.Denied, "no\u001b[2J way\r\n");
        FrameCodec.ParseOutcome(frame.AsSpan(FrameHeader.Size)).ShouldBe(new FlowRefusal(FlowFailure.Denied, "no[2J way"));
    }

    [Fact]
    public void Random_bytes_are_rejected_or_parsed_within_bounds()
    {
        var random = new Random(20261121);
        var bytes = new byte[300];
        for (var round = 0; round < 50_000; round++)
        {
            random.NextBytes(bytes);
            bytes[0] = (byte)random.Next(12);
            bytes[1] = (byte)random.Next(6);
            if (FrameHeader.TryParse(bytes, out var header))
            {
                header.Length.ShouldBeInRange(0, FrameHeader.MaxData);
                header.Type.ShouldBeOneOf(FrameType.Open, FrameType.Answer, FrameType.Data, FrameType.Fin, FrameType.Abort, FrameType.Ping, FrameType.Pong);
            }

            var payload = bytes.AsSpan(4, random.Next(1, 296));
            if (FrameCodec.ParseOpen(payload) is { } target)
            {
                target.IsWellFormed.ShouldBeTrue();
                FrameCodec.ParseOpen(FrameCodec.Open(target).AsSpan(FrameHeader.Size)).ShouldBe(target);
            }

            FrameCodec.ParseOutcome(payload).Message.Any(char.IsControl).ShouldBeFalse();
        }
    }
}
