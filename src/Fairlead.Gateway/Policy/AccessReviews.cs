using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Identity;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Policy;

/// <summary>Asks the API server whether an account may do something (SubjectAccessReview).</summary>
internal delegate Task<SubjectAccessReviewStatus> AskAccess(SubjectAccessReviewSpec review, CancellationToken cancellationToken);

/// <summary>
/// What RBAC lets Kubernetes users do, asked by SubjectAccessReview: <c>consume</c> on the virtual resource <c>spaces.fairlead.dev</c> and
/// <c>create</c> on <c>attachments.fairlead.dev</c>, each first in all namespaces at once, which one question answers for most
/// administrators, then in each that has services or pods. Whoever has a flow or a catalog open
/// is asked about again every <see cref="Interval"/>; no flow is opened on an answer older than <see cref="MaxAge"/>. While the API server can't
/// be asked the last answer stands for <see cref="Patience"/>.
/// </summary>
/// <param name="namespaces">Those that have services or pods, now.</param>
/// <param name="inUse">Whose flows and catalogs are open, now.</param>
#pragma warning disable CA1001 // semaphores whose wait handles are never taken hold nothing to dispose
internal sealed partial class AccessReviews(
#pragma warning restore CA1001
    AskAccess ask, Func<IReadOnlySet<string>> namespaces, Func<IEnumerable<PeerIdentity>> inUse, TimeProvider time, ILogger<AccessReviews> logger)
{
    /// <summary>A change of RBAC counts within this and the time that asking takes, which together stay below 30 s.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(25);

    /// <summary>An API server that is upgraded or moved is back by then.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>What takes longer counts as a failure.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>Between attempts while the API server can't be asked.</summary>
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(2);

    /// <summary>Namespaces rarely come alone.</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(200);

    /// <summary>After which an account that nobody uses is forgotten.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(2);

    /// <summary>Each holds the names of a few namespaces; beyond it nobody new is let in.</summary>
    private const int MaxAccounts = 4096;

    /// <summary>Questions at a time, of all accounts: a small share of what an API server takes.</summary>
    private const int MaxQuestions = 16;

    private static readonly ConditionalWeakTable<KubernetesAccount, string> Keys = [];

    private readonly ConcurrentDictionary<string, Entry> entries = new();
    private readonly SemaphoreSlim questions = new(MaxQuestions);
    private volatile TaskCompletionSource wake = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Called after what some account may do has changed.</summary>
    public Action? Changed { get; set; }

    /// <summary>A namespace has its first service or pod: it has not been asked about yet.</summary>
    public void NamespaceAppeared() => wake.TrySetResult();

    /// <summary>The last answer.</summary>
    public AccessReview Of(KubernetesAccount account) => entries.TryGetValue(KeyOf(account), out var entry) && entry.Review is { } known ? Judge(known) : AccessReview.Unknown("it has not been asked yet");

    /// <summary>An answer that is young enough, and about the namespace if one is given and has services or pods.</summary>
    /// <param name="maxAge">Zero: one that is asked for now.</param>
    public async ValueTask<AccessReview> AskAsync(KubernetesAccount account, string? @namespace, TimeSpan maxAge, CancellationToken cancellationToken)
    {
        var key = KeyOf(account);
        if (!entries.TryGetValue(key, out var entry))
        {
            if (entries.Count >= MaxAccounts)
            {
                Forget();
            }

            if (entries.Count >= MaxAccounts)
            {
                return AccessReview.Unknown("too many people use the gateway at once");
            }

            entry = entries.GetOrAdd(key, new Entry(account));
        }

        entry.Used = time.GetTimestamp();
        if (entry.Review is { Failure: null } known && time.GetElapsedTime(known.At) < maxAge && (@namespace is null || known.Says(@namespace) || !namespaces().Contains(@namespace)))
        {
            return known;
        }

        await RefreshAsync(entry, cancellationToken);
        return Judge(entry.Review!);
    }

    /// <summary>Keeps the answers about everybody in use young.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var next = wake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var used = inUse().Select(peer => peer.Account).OfType<KubernetesAccount>().DistinctBy(KeyOf).Select(account => entries.GetOrAdd(KeyOf(account), _ => new Entry(account))).ToList();
                used.ForEach(entry => entry.Used = time.GetTimestamp());
                Forget();
                await Task.WhenAll(used.Select(entry => RefreshAsync(entry, cancellationToken)));
                await Task.WhenAny(next.Task, Task.Delay(Interval, time, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
                if (next.Task.IsCompleted)
                {
                    await Task.Delay(Settle, time, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The gateway ends.
        }
    }

    /// <summary>One at a time for an account; who comes while it is asked about waits for that answer.</summary>
    private async Task RefreshAsync(Entry entry, CancellationToken cancellationToken)
    {
        var seen = entry.Attempts;
        await entry.Gate.WaitAsync(cancellationToken);
        try
        {
            if (entry.Review is not null && (entry.Attempts > seen || (entry.HasFailed && time.GetElapsedTime(entry.Attempted) < RetryPause)))
            {
                return;
            }

            entry.Attempts++;
            entry.Attempted = time.GetTimestamp();
            var before = entry.Review;
            entry.Review = await ReviewAsync(entry, cancellationToken);
            if (before is not null && !entry.Review.SameAs(before))
            {
                Changed?.Invoke();
            }
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private async Task<AccessReview> ReviewAsync(Entry entry, CancellationToken cancellationToken)
    {
        var at = entry.Attempted;
        using var limit = new CancellationTokenSource(Timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        entry.HasFailed = false;
        try
        {
            var asked = namespaces();
            var consume = ScopeAsync(entry.Account, GrantVerbs.Consume, ClusterObjects.SpacesResource, asked, stop.Token);
            var attach = ScopeAsync(entry.Account, ClusterObjects.AttachmentsVerb, ClusterObjects.AttachmentsResource, asked, stop.Token);
            await Task.WhenAll(consume, attach);
            return new AccessReview(asked, await consume, await attach, at);
        }
        catch (Exception e) when (e is KubernetesException or KubeConfigException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            entry.HasFailed = true;
            LogFailed(entry.Account.Name, e.Message);
            return Judge(entry.Review ?? AccessReview.Unknown("the API server could not be asked"));
        }
    }

    private async Task<AccessScope> ScopeAsync(KubernetesAccount account, string verb, string resource, IReadOnlySet<string> asked, CancellationToken cancellationToken)
    {
        if (await MayAsync(account, verb, resource, null, cancellationToken))
        {
            return new AccessScope(Everywhere: true, FrozenSet<string>.Empty);
        }

        var answers = await Task.WhenAll(asked.Select(async name => (Name: name, May: await MayAsync(account, verb, resource, name, cancellationToken))));
        return new AccessScope(Everywhere: false, answers.Where(a => a.May).Select(a => a.Name).ToFrozenSet());
    }

    private async Task<bool> MayAsync(KubernetesAccount account, string verb, string resource, string? @namespace, CancellationToken cancellationToken)
    {
        await questions.WaitAsync(cancellationToken);
        try
        {
            var answer = await ask(
                new SubjectAccessReviewSpec
                {
                    User = account.Name,
                    Uid = account.Uid,
                    Groups = account.Groups,
                    Extra = account.Extra.ToDictionary(),
                    ResourceAttributes = new ResourceAttributes { Group = ClusterObjects.Group, Resource = resource, Verb = verb, Namespace = @namespace },
                },
                cancellationToken);
            return answer.Allowed;
        }
        finally
        {
            questions.Release();
        }
    }

    /// <summary>An answer that could not be had anew for too long is none.</summary>
    private AccessReview Judge(AccessReview known) => known.Failure is null && time.GetElapsedTime(known.At) > Patience
        ? AccessReview.Unknown($"the API server could not be asked for {Patience.TotalMinutes:0} minutes")
        : known;

    private void Forget()
    {
        foreach (var (key, entry) in entries)
        {
            if (time.GetElapsedTime(entry.Used) > Idle)
            {
                entries.TryRemove(key, out _);
            }
        }
    }

    /// <summary>Equal for equal accounts, which come from any number of certificates.</summary>
    private static string KeyOf(KubernetesAccount account) => Keys.GetValue(account, static a => Convert.ToHexString(SHA256.HashData(AccountExtension.Encode(a))));

    [LoggerMessage(1106, LogLevel.Warning, "what {User} may do could not be asked: {Error}")]
    private partial void LogFailed(string user, string error);

#pragma warning disable CA1001 // as above
    private sealed class Entry(KubernetesAccount account)
#pragma warning restore CA1001
    {
        private volatile AccessReview? review;
        private volatile int attempts;
        private long used;

        public KubernetesAccount Account => account;

        /// <summary>Held while it is asked about; guards the three below.</summary>
        public SemaphoreSlim Gate { get; } = new(1);

        /// <summary>How often it was begun to ask.</summary>
        public int Attempts
        {
            get => attempts;
            set => attempts = value;
        }

        public long Attempted { get; set; }

        public bool HasFailed { get; set; }

        public AccessReview? Review
        {
            get => review;
            set => review = value;
        }

        public long Used
        {
            get => Volatile.Read(ref used);
            set => Volatile.Write(ref used, value);
        }
    }
}
