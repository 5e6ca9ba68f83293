using Fairlead.Bench.Micro;
using Fairlead.Tunnel.Tls;

// As daemon and gateway do.
TlsBuffers.ReleaseWhenIdle();
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
    case "plan":
        PlanBench.Run(args.Length > 1 ? (int)seconds : 100_000);
        return 0;
    default:
        Console.Error.WriteLine("usage: Fairlead.Bench.Micro stream [SECONDS] | opens [SECONDS] | idle [FLOWS] | plan [ROUTES]");
        return 2;
}
