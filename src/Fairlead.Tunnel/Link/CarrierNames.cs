namespace Fairlead.Tunnel.Link;

/// <summary>What the carriers are called in statuses and logs.</summary>
internal static class CarrierNames
{
    public const string Direct = "direct";
    public const string WebSocket = "websocket";
    public const string PortForward = "port-forward";
}
