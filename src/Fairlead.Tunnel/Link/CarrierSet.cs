using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// The ways to the gateway, the best first: every direct one, every WebSocket, and last what needs no address of the gateway. Remembers what came of
/// each. Owns them. Thread-safe.
/// </summary>
/// <param name="last">The way that no endpoint is needed for; null where there is none.</param>
internal sealed class CarrierSet(IReadOnlyList<GatewayEndpoint> endpoints, Func<GatewayEndpoint, IEnumerable<ICarrier>> make, ICarrier? last) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<GatewayEndpoint, ICarrier[]> _made = endpoints.Distinct().ToDictionary(e => e, e => make(e).ToArray());
    private readonly Dictionary<ICarrier, ErrorInfo> _problems = [];
    private IReadOnlyList<GatewayEndpoint> _endpoints = [.. endpoints.Distinct()];
    private IReadOnlyList<string> _pods = [];

    public IReadOnlyList<ICarrier> Current
    {
        get
        {
            lock (_lock)
            {
                return [.. _endpoints.SelectMany(e => _made[e].Index()).OrderBy(c => c.Index).Select(c => c.Item), .. last is null ? Array.Empty<ICarrier>() : [last]];
            }
        }
    }

    /// <summary>Those of a kind that comes before this one's.</summary>
    public IReadOnlyList<ICarrier> BetterThan(ICarrier carrier) => [.. Current.TakeWhile(c => c.Name != carrier.Name)];

    /// <param name="problem">Null: it answered.</param>
    public void Remember(ICarrier carrier, ErrorInfo? problem)
    {
        lock (_lock)
        {
            if (problem is null)
            {
                _problems.Remove(carrier);
            }
            else
            {
                _problems[carrier] = problem;
            }
        }
    }

    public IReadOnlyList<WayStatus> Describe(ICarrier? inUse)
    {
        lock (_lock)
        {
            return [.. Current.Select(c => new WayStatus(c.Name, c.Where, c == inUse, _problems.GetValueOrDefault(c)))];
        }
    }

    /// <summary>Carriers of endpoints that are gone stay until the end: flows may run on them, and there are few.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool SetEndpoints(IReadOnlyList<GatewayEndpoint> endpoints)
    {
        GatewayEndpoint[] distinct = [.. endpoints.Distinct()];
        lock (_lock)
        {
            if ((distinct.Length == 0 && last is null) || distinct.SequenceEqual(_endpoints))
            {
                return false;
            }

            foreach (var endpoint in distinct)
            {
                if (!_made.ContainsKey(endpoint))
                {
                    var made = make(endpoint).ToArray();
                    Array.ForEach(made, carrier => carrier.Expect(_pods));
                    _made.Add(endpoint, made);
                }
            }

            _endpoints = distinct;
            return true;
        }
    }

    public void Expect(IReadOnlyList<string> pods)
    {
        lock (_lock)
        {
            if (pods.SequenceEqual(_pods))
            {
                return;
            }

            _pods = pods;
            foreach (var carrier in All())
            {
                carrier.Expect(pods);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var carrier in All())
        {
            await carrier.DisposeAsync();
        }
    }

    private ICarrier[] All() => [.. _made.Values.SelectMany(c => c), .. last is null ? Array.Empty<ICarrier>() : [last]];
}
