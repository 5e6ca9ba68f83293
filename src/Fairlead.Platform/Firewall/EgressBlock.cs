namespace Fairlead.Platform.Firewall;

/// <summary>A firewall's chain that refuses or drops what programs of this host send by a device: the kill switch of a VPN, mostly.</summary>
/// <param name="Chain">Family, table and chain, such as <c>inet killswitch output</c>.</param>
/// <param name="Why">For people: <c>its policy is drop</c>, <c>it rejects all but wg0</c>.</param>
public sealed record EgressBlock(string Chain, string Why);
