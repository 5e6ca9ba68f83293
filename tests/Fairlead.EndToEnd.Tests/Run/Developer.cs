using System.Diagnostics;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Run;

/// <summary>An ordinary user of a laptop on which no daemon runs, with a home that is thrown away with the laptop.</summary>
public sealed class Developer
{
    private const string Name = "dev";
    private const string Home = "/var/dev";

    /// <summary>Where <c>fairlead run</c> keeps this user's spaces.</summary>
    public const string RunState = Home + "/.local/state/fairlead/run";

    private readonly Laptop laptop;

    private Developer(Laptop laptop) => this.laptop = laptop;

    public static async Task<Developer> AddAsync(Laptop laptop)
    {
        (await laptop.Host.RunAsync("useradd", "--create-home", "--home-dir", Home, Name)).ShouldSucceed();
        return new Developer(laptop);
    }

    /// <summary>One who was invited for the shop and has joined.</summary>
    public static async Task<Developer> AddMemberAsync(Laptop laptop, Cluster cluster)
    {
        var dev = await AddAsync(laptop);
        await dev.JoinAsync(await cluster.InviteAsync($"dev{laptop.Number}", "shop"));
        return dev;
    }

    /// <summary>Joins for <c>fairlead run</c> by an invite, given on standard input.</summary>
    public async Task JoinAsync(string token) => (await laptop.Host.RunAsync(As([Programs.Fairlead, "join", "--for-run", "-"]), token)).ShouldSucceed();

    public Task<Outcome> FairleadAsync(params string[] arguments) => laptop.Host.RunAsync(As([Programs.Fairlead, .. arguments]));

    public Task<Outcome> RunAsync(params string[] command) => FairleadAsync(["run", "--", .. command]);

    /// <summary>A script of bash in a private network.</summary>
    public Task<Outcome> RunScriptAsync(string script, params string[] options) => FairleadAsync(["run", .. options, "--", "bash", "-c", script]);

    public Process Start(params string[] command) => Shell.Start(laptop.Host.Inside(As(command)));

    public IReadOnlyList<string> As(IReadOnlyList<string> command) =>
        ["runuser", "-u", Name, "--", "env", "-i", $"HOME={Home}", "PATH=/usr/local/bin:/usr/bin:/bin", "TERM=xterm", .. command];
}
