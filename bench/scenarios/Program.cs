using Fairlead.Bench.Scenarios;
using Fairlead.Testbed;

// ./bench/run NAME… runs these; two more verbs are for processes that a scenario starts inside a namespace.
if (args is ["link-shaper", var peer, var delay])
{
    return LinkShaper.Run(int.Parse(peer), double.Parse(delay, System.Globalization.CultureInfo.InvariantCulture));
}

if (args is ["idle-connections", var host, var port, var count])
{
    return await IdleFlows.HoldAsync(host, int.Parse(port), int.Parse(count));
}

if (args is ["create-services", var kubeconfig, var number])
{
    return await ManyServices.CreateAsync(kubeconfig, int.Parse(number));
}

var all = new Dictionary<string, Func<Report, Task>>
{
    ["throughput"] = Throughput.RunAsync,
    ["http"] = Http.RunAsync,
    ["distance"] = Distance.RunAsync,
    ["services"] = ManyServices.RunAsync,
    ["idle"] = IdleFlows.RunAsync,
};
if (args is ["--rounds", var rounds, ..])
{
    Settings.Rounds = int.Parse(rounds);
    args = args[2..];
}

var chosen = args.Length == 0 ? [.. all.Keys] : args;
if (chosen.FirstOrDefault(n => !all.ContainsKey(n)) is { } unknown)
{
    Console.Error.WriteLine($"no scenario '{unknown}'; there are: {string.Join(", ", all.Keys)}");
    return 2;
}

foreach (var name in chosen)
{
    var report = new Report(name);
    await all[name](report);
    report.Print();
    report.Save(Path.Combine(Programs.Root, "bench", "results"));
}

return 0;
