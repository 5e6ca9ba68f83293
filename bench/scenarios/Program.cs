using Fairlead.Bench.Scenarios;
using Fairlead.Testbed;

// ./bench/run NAME… runs these; the other verbs are for processes that a scenario starts inside a namespace.
if (args is ["link-shaper", var peer, var delay])
{
    return LinkShaper.Run(int.Parse(peer), double.Parse(delay, System.Globalization.CultureInfo.InvariantCulture));
}

if (args is ["idle-connections", var host, var port, var count])
{
    return await IdleFlows.HoldAsync(host, int.Parse(port), int.Parse(count));
}

if (args is ["crowd", var authority, var gatewayHost, var gatewayPorts, var clients, var firstClient, var flows])
{
    return await Crowd.HoldAsync(authority, gatewayHost, gatewayPorts, int.Parse(clients), int.Parse(firstClient), int.Parse(flows));
}

if (args is ["create-services", var kubeconfig, var number])
{
    return await ManyServices.CreateAsync(kubeconfig, int.Parse(number));
}

if (args is ["streams", var to, var at, var connections, var bytes, var direction])
{
    return await Streams.MeasureAsync(to, int.Parse(at), int.Parse(connections), long.Parse(bytes), direction);
}

if (args is ["closed-connections", var server, var closing, var times])
{
    return await ClosedConnections.MeasureAsync(server, int.Parse(closing), int.Parse(times));
}

if (args is ["datagram-echo"])
{
    return await DatagramEchoes.ServeAsync();
}

if (args is ["datagram-echoes", var target, var echo, var duration])
{
    return DatagramEchoes.Measure(target, int.Parse(echo), int.Parse(duration));
}

if (args is ["first-name", var fairlead, var first, var open])
{
    return await ConnectDelays.MeasureFirstNameAsync(fairlead, first, int.Parse(open));
}

var all = new Dictionary<string, Func<Report, Task>>
{
    ["throughput"] = Throughput.RunAsync,
    ["http"] = Http.RunAsync,
    ["distance"] = Distance.RunAsync,
    ["services"] = ManyServices.RunAsync,
    ["idle"] = IdleFlows.RunAsync,
    ["clients"] = ManyClients.RunAsync,
    ["names"] = Names.RunAsync,
    ["tun"] = TunDevice.RunAsync,
    ["connect"] = ConnectPath.RunAsync,
    ["datagrams"] = ConnectPath.RunDatagramsAsync,
    ["busy"] = BusyFlow.RunAsync,
    ["portforward"] = PortForward.RunAsync,
};
while (args is [['-', '-', .. var option], var value, .. var rest])
{
    switch (option)
    {
        case "rounds":
            Settings.Rounds = int.Parse(value);
            break;
        case "kubeconfig":
            Environment.SetEnvironmentVariable("FAIRLEAD_E2E_KUBECONFIG", Path.GetFullPath(value));
            break;
        case "image":
            Environment.SetEnvironmentVariable("FAIRLEAD_E2E_IMAGE", value);
            break;
        case "pod-image":
            Settings.PodImage = value;
            break;
        case "node-pid":
            Settings.NodePid = int.Parse(value);
            break;
        default:
            Console.Error.WriteLine($"no option --{option}; there are: --rounds, --kubeconfig, --image, --pod-image, --node-pid");
            return 2;
    }

    args = rest;
}

// One is of a given cluster, the others are of the embedded one; and one is a part of another.
var chosen = args.Length == 0 ? [.. all.Keys.Except(["portforward", "datagrams"])] : args;
if (chosen.FirstOrDefault(n => !all.ContainsKey(n)) is { } unknown)
{
    Console.Error.WriteLine($"no scenario '{unknown}'; there are: {string.Join(", ", all.Keys)}");
    return 2;
}

var failed = false;
foreach (var name in chosen)
{
    var report = new Report(name);
    try
    {
        await all[name](report);
        report.Save(Path.Combine(Programs.Root, "bench", "results"));
    }
    catch (Exception e)
    {
        // What it measured until then is told, and the other scenarios may work.
        failed = true;
        report.Note($"It broke off: {e.Message}");
        Console.Error.WriteLine(e);
    }

    report.Print();
}

return failed ? 1 : 0;
