using Fairlead.Contracts.Errors;

namespace Fairlead.Tunnel.Tls;

/// <summary>No connection to the gateway could be had, and why, as a person is told it.</summary>
/// <param name="refused">Trying again is of no use until a person acts.</param>
internal sealed class CarrierException(ErrorInfo error, bool refused, Exception? inner = null) : IOException(error.Message, inner)
{
    public ErrorInfo Error { get; } = error;

    public bool Refused { get; } = refused;
}
