using System.Net;
using System.Threading.Channels;
using Fairlead.Platform;
using Fairlead.Platform.Resolver;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>A host's way to names, in memory.</summary>
internal sealed class FakeResolver : IHostResolver
{
    private readonly Channel<ResolverChange> changes = Channel.CreateUnbounded<ResolverChange>();

    public ResolverState State { get; set; } = new(ResolverOwner.ResolvConf, "/etc/resolv.conf", [], []);

    /// <summary>What claims are answered with.</summary>
    public ResolverOutcome Outcome { get; set; } = ResolverOutcome.Claimed;

    /// <summary>Thrown by claims while it is set.</summary>
    public HostException? Failure { get; set; }

    public ResolverClaim? Claim { get; private set; }

    public int Claims { get; private set; }

    public int Forgotten { get; private set; }

    public static IPEndPoint Server(string address) => new(IPAddress.Parse(address), 53);

    public Task<ResolverState> ReadAsync(CancellationToken cancellationToken) => Task.FromResult(State);

    public IAsyncEnumerable<ResolverChange> WatchAsync(CancellationToken cancellationToken) => changes.Reader.ReadAllAsync(cancellationToken);

    public void Change(string cause) => changes.Writer.TryWrite(new ResolverChange(cause));

    public Task<ResolverOutcome> ClaimAsync(ResolverClaim claim, CancellationToken cancellationToken)
    {
        if (Failure is { } failure)
        {
            throw failure;
        }

        (Claim, Claims) = (claim, Claims + 1);
        return Task.FromResult(Outcome);
    }

    public Task ForgetAnswersAsync(CancellationToken cancellationToken)
    {
        Forgotten++;
        return Task.CompletedTask;
    }

    public Task<bool> ReleaseAsync(CancellationToken cancellationToken)
    {
        var had = Claim is not null;
        Claim = null;
        return Task.FromResult(had);
    }

    public ValueTask DisposeAsync()
    {
        Claim = null;
        return ValueTask.CompletedTask;
    }
}
