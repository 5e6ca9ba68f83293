using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel.Link;

/// <summary>The carriers of every endpoint, in the order in which they are tried: every direct way before any dear one. Owns them.</summary>
internal sealed class CarrierSet(IReadOnlyList<GatewayEndpoint> endpoints, Func<GatewayEndpoint, IEnumerable<ICarrier>> make) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<GatewayEndpoint, ICarrier[]> _made = endpoints.Distinct().ToDictionary(e => e, e => make(e).ToArray());
    private IReadOnlyList<GatewayEndpoint> _endpoints = [.. endpoints.Distinct()];

    public IReadOnlyList<ICarrier> Current
    {
        get
        {
            lock (_lock)
            {
                return [.. _endpoints.SelectMany(e => _made[e].Index()).OrderBy(c => c.Index).Select(c => c.Item)];
            }
        }
    }

    /// <summary>Carriers of endpoints that are gone stay until the end: flows may run on them, and there are few.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool SetEndpoints(IReadOnlyList<GatewayEndpoint> endpoints)
    {
        GatewayEndpoint[] distinct = [.. endpoints.Distinct()];
        lock (_lock)
        {
            if (distinct.Length == 0 || distinct.SequenceEqual(_endpoints))
            {
                return false;
            }

            foreach (var endpoint in distinct)
            {
                if (!_made.ContainsKey(endpoint))
                {
                    _made.Add(endpoint, [.. make(endpoint)]);
                }
            }

            _endpoints = distinct;
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var carrier in _made.Values.SelectMany(c => c))
        {
            await carrier.DisposeAsync();
        }
    }
}
