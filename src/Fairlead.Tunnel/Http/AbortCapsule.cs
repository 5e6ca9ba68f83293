using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Http;

/// <summary>The capsule <see cref="CapsuleType.Abort"/>: a <see cref="FlowFailure"/>, then a message for a person.</summary>
internal static class AbortCapsule
{
    private const int MaxLength = 1024;

    public static byte[] Encode(FlowRefusal reason)
    {
        var outcome = FrameCodec.Outcome(FrameType.Abort, reason.Failure, reason.Message).AsSpan(FrameHeader.Size);
        var capsule = new byte[CapsuleHeader.FixedSize + outcome.Length];
        new CapsuleHeader(CapsuleType.Abort, (ulong)outcome.Length).WriteFixed(capsule);
        outcome.CopyTo(capsule.AsSpan(CapsuleHeader.FixedSize));
        return capsule;
    }

    /// <summary>Reads the value that follows the header.</summary>
    public static async ValueTask<FlowAbortedException> ReadAsync(CapsuleStream capsules, CapsuleHeader header, CancellationToken cancellationToken)
    {
        if (header.Length is 0 or > MaxLength)
        {
            return new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a reason that can't be read.");
        }

        var payload = new byte[(int)header.Length];
        await capsules.ReadExactlyAsync(payload, cancellationToken);
        var reason = FrameCodec.ParseOutcome(payload);
        return new FlowAbortedException(reason.Failure == FlowFailure.None ? FlowFailure.Reset : reason.Failure, reason.Message);
    }
}
