using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using Fairlead.Contracts.Cluster;

namespace Fairlead.Gateway.Cluster;

/// <summary>
/// What the gateway knows of the cluster, indexed the ways in which flows are judged. Informers write (each kind from one thread), every
/// flow reads without a lock. Its size is bounded by the cluster's own objects.
/// </summary>
/// <param name="gatewayNamespace">Where this gateway lives.</param>
/// <param name="limited">The gateway may look only into some namespaces, so that it can't tell whose every address is.</param>
internal sealed class ClusterState(string gatewayNamespace = ClusterObjects.Namespace, bool limited = false)
{
    public static readonly ObjectKey ApiServerService = new("default", "kubernetes");

    private readonly ConcurrentDictionary<ObjectKey, ServiceView> services = new();
    private readonly ConcurrentDictionary<ObjectKey, ImmutableDictionary<ObjectKey, SliceView>> slicesByService = new();
    private readonly ConcurrentDictionary<ObjectKey, SliceView> slices = new();
    private readonly Lock counting = new();
    private readonly Dictionary<string, int> objectsByNamespace = [];
    private volatile ImmutableHashSet<string> namespaces = [];
    private readonly ConcurrentDictionary<ObjectKey, PodView> pods = new();
    private readonly ConcurrentDictionary<string, NodeView> nodes = new();
    private readonly AddressIndex<ObjectKey> servicesByAddress = new();
    private readonly AddressIndex<ObjectKey> podsByAddress = new();
    private readonly AddressIndex<string> nodesByAddress = new();
    private readonly AddressIndex<ObjectKey> slicesByAddress = new();

    /// <summary>The Service that leads to this gateway and the other replicas.</summary>
    public ObjectKey GatewayService { get; } = new(gatewayNamespace, ClusterObjects.Gateway);

    public bool Limited => limited;

    /// <summary>A service, or the endpoints of one, changed; called on the informer's thread after the change.</summary>
    public Action<ObjectKey>? ServiceChanged { get; set; }

    /// <summary>A node or the gateway's own Service changed: where the gateway is reached may have changed.</summary>
    public Action? ReachChanged { get; set; }

    /// <summary>A service, pod or node has other addresses: the cluster's subnets may have changed. Called on informers' threads.</summary>
    public Action? AddressesChanged { get; set; }

    /// <summary>The first service or pod of a namespace came, or the last one went.</summary>
    public Action? NamespacesChanged { get; set; }

    /// <summary>Those that have services or pods.</summary>
    public IReadOnlySet<string> Namespaces => namespaces;

    public IEnumerable<ServiceView> Services => services.Select(s => s.Value);

    public IEnumerable<NodeView> Nodes => nodes.Select(n => n.Value);

    /// <summary>Of every pod with a network of its own.</summary>
    public IEnumerable<IPAddress> OwnPodAddresses => pods.SelectMany(p => OwnAddressesOf(p.Value));

    /// <summary>The gateway's own replicas.</summary>
    public IEnumerable<PodView> Gateways => pods.Select(p => p.Value).Where(p => p.Gateway);

    public ServiceView? FindService(ObjectKey key) => services.GetValueOrDefault(key);

    public PodView? FindPod(ObjectKey key) => pods.GetValueOrDefault(key);

    public IEnumerable<SliceView> SlicesOf(ObjectKey service) => slicesByService.TryGetValue(service, out var found) ? found.Values : [];

    /// <summary>Services that nodes route the address to.</summary>
    public ImmutableHashSet<ObjectKey> ServicesAt(IPAddress address) => servicesByAddress.At(address);

    /// <summary>Pods with a network of their own that have the address.</summary>
    public ImmutableHashSet<ObjectKey> PodsAt(IPAddress address) => podsByAddress.At(address);

    /// <summary>What EndpointSlices claim is at the address.</summary>
    public IEnumerable<(SliceView Slice, Endpoint Endpoint)> EndpointsAt(IPAddress address) =>
        from key in slicesByAddress.At(address)
        let slice = slices.GetValueOrDefault(key)
        where slice is not null
        from endpoint in slice.Endpoints
        where endpoint.Address.Equals(address)
        select (slice, endpoint);

    public NodeView? NodeAt(IPAddress address) => nodesByAddress.At(address).FirstOrDefault() is { } name ? nodes.GetValueOrDefault(name) : null;

    public bool InPodRange(IPAddress address) => nodes.Any(n => n.Value.PodRanges.Any(r => r.Contains(address)));

    public bool IsApiServer(IPAddress address, int port)
    {
        if (FindService(ApiServerService)?.ClusterAddresses.Contains(address) == true)
        {
            return true;
        }

        return SlicesOf(ApiServerService).Any(s => s.Ports.Any(p => p.Port == port) && s.Endpoints.Any(e => e.Address.Equals(address)));
    }

    public void PutService(ServiceView service)
    {
        var old = services.GetValueOrDefault(service.Key);
        services[service.Key] = service;
        Count(service.Key.Namespace, old is null ? 1 : 0);
        servicesByAddress.Move(service.Key, AddressesOf(old), AddressesOf(service));
        TellAddresses(old?.ClusterAddresses, service.ClusterAddresses);
        ServiceChanged?.Invoke(service.Key);
    }

    public void RemoveService(ObjectKey key)
    {
        if (services.TryRemove(key, out var old))
        {
            Count(key.Namespace, -1);
            servicesByAddress.Move(key, AddressesOf(old), []);
            ServiceChanged?.Invoke(key);
        }
    }

    public void PutSlice(SliceView slice)
    {
        if (slices.TryGetValue(slice.Key, out var old) && old.Service != slice.Service)
        {
            RemoveSlice(slice.Key);
        }

        slicesByAddress.Move(slice.Key, AddressesOf(slices.GetValueOrDefault(slice.Key)), AddressesOf(slice));
        slices[slice.Key] = slice;
        slicesByService.AddOrUpdate(
            slice.Service,
            static (_, added) => ImmutableDictionary<ObjectKey, SliceView>.Empty.Add(added.Key, added),
            static (_, known, added) => known.SetItem(added.Key, added),
            slice);
        ServiceChanged?.Invoke(slice.Service);
    }

    public void RemoveSlice(ObjectKey key)
    {
        if (!slices.TryRemove(key, out var old))
        {
            return;
        }

        slicesByAddress.Move(key, AddressesOf(old), []);

        // Slices have one writer, so nothing comes between these two steps.
        var rest = slicesByService[old.Service].Remove(key);
        if (rest.IsEmpty)
        {
            slicesByService.TryRemove(old.Service, out _);
        }
        else
        {
            slicesByService[old.Service] = rest;
        }

        ServiceChanged?.Invoke(old.Service);
    }

    public void PutPod(PodView pod)
    {
        var old = pods.GetValueOrDefault(pod.Key);
        pods[pod.Key] = pod;
        Count(pod.Key.Namespace, old is null ? 1 : 0);
        podsByAddress.Move(pod.Key, OwnAddressesOf(old), OwnAddressesOf(pod));
        TellAddresses(OwnAddressesOf(old), OwnAddressesOf(pod));
    }

    public void RemovePod(ObjectKey key)
    {
        if (pods.TryRemove(key, out var old))
        {
            Count(key.Namespace, -1);
            podsByAddress.Move(key, OwnAddressesOf(old), []);
        }
    }

    public void PutNode(NodeView node)
    {
        var old = nodes.GetValueOrDefault(node.Name);
        nodes[node.Name] = node;
        nodesByAddress.Move(node.Name, AddressesOf(old), AddressesOf(node));
        if (old is null || !old.PodRanges.SequenceEqual(node.PodRanges))
        {
            AddressesChanged?.Invoke();
        }

        if (old is null || !AddressesOf(old).SequenceEqual(AddressesOf(node)))
        {
            ReachChanged?.Invoke();
        }
    }

    public void RemoveNode(string name)
    {
        if (nodes.TryRemove(name, out var old))
        {
            nodesByAddress.Move(name, AddressesOf(old), []);
            ReachChanged?.Invoke();
        }
    }

    private void Count(string @namespace, int change)
    {
        lock (counting)
        {
            var count = objectsByNamespace.GetValueOrDefault(@namespace) + change;
            if (count == 0)
            {
                objectsByNamespace.Remove(@namespace);
            }
            else
            {
                objectsByNamespace[@namespace] = count;
            }

            if (count > 0 == namespaces.Contains(@namespace))
            {
                return;
            }

            namespaces = count > 0 ? namespaces.Add(@namespace) : namespaces.Remove(@namespace);
        }

        NamespacesChanged?.Invoke();
    }

    private void TellAddresses(IReadOnlyList<IPAddress>? before, IReadOnlyList<IPAddress> now)
    {
        if (!now.SequenceEqual(before ?? []))
        {
            AddressesChanged?.Invoke();
        }
    }

    private static IReadOnlyList<IPAddress> AddressesOf(SliceView? slice) => slice is null ? [] : [.. slice.Endpoints.Select(e => e.Address).Distinct()];

    private static IReadOnlyList<IPAddress> AddressesOf(ServiceView? service) => service is null ? [] : [.. service.ClusterAddresses, .. service.OtherAddresses];

    private static IReadOnlyList<IPAddress> AddressesOf(NodeView? node) => node is null ? [] : [.. node.Addresses, .. node.ExternalAddresses];

    private static IReadOnlyList<IPAddress> OwnAddressesOf(PodView? pod) => pod is null || pod.HostNetwork ? [] : pod.Addresses;

    /// <summary>Who has an address. Several may for a moment, when an address is given on before the news of its old owner's end arrives.</summary>
    private sealed class AddressIndex<TKey>
    {
        private readonly ConcurrentDictionary<IPAddress, ImmutableHashSet<TKey>> owners = new();

        public ImmutableHashSet<TKey> At(IPAddress address) => owners.TryGetValue(address, out var found) ? found : [];

        public void Move(TKey key, IReadOnlyList<IPAddress> from, IReadOnlyList<IPAddress> to)
        {
            foreach (var address in to)
            {
                owners.AddOrUpdate(address, static (_, k) => [k], static (_, known, k) => known.Add(k), key);
            }

            foreach (var address in from.Where(a => !to.Contains(a)))
            {
                if (owners.TryGetValue(address, out var known))
                {
                    var rest = known.Remove(key);
                    if (rest.IsEmpty)
                    {
                        owners.TryRemove(address, out _);
                    }
                    else
                    {
                        owners[address] = rest;
                    }
                }
            }
        }
    }
}
