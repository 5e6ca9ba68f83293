using Fairlead.Bench.Micro;

var seconds = args.Length > 1 ? double.Parse(args[1]) : 3;
switch (args.FirstOrDefault())
{
    case "stream":
        await RelayBench.StreamAsync(TimeSpan.FromSeconds(seconds));
        return 0;
    case "opens":
        await RelayBench.OpensAsync(TimeSpan.FromSeconds(seconds));
        return 0;
    case "idle":
        await RelayBench.IdleAsync((int)seconds);
        return 0;
    default:
        Console.Error.WriteLine("usage: Fairlead.Bench.Micro stream [SECONDS] | opens [SECONDS] | idle [FLOWS]");
        return 2;
}
