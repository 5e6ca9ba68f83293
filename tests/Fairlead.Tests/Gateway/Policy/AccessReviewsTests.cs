using System.Collections.Concurrent;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class AccessReviewsTests
{
    private static readonly KubernetesAccount Bob = new("bob", "u1", ["devs"], new Dictionary<string, IReadOnlyList<string>> { ["scopes"] = ["a"] });
    private static readonly PeerIdentity Peer = new("k8s:bob", default, default, null, Bob);
    private static readonly FlowTarget Frontend = new(TransportProtocol.Tcp, "frontend.shop.svc", 80);

    private readonly ManualTime time = new();
    private readonly HashSet<string> allowed = [];
    private readonly HashSet<string> attachable = [];
    private readonly HashSet<string> namespaces = ["shop", "dev"];
    private readonly ConcurrentQueue<SubjectAccessReviewSpec> asked = new();
    private readonly List<PeerIdentity> inUse = [];
    private readonly AccessReviews reviews;
    private readonly Grants grants;
    private bool down;

    public AccessReviewsTests()
    {
        reviews = new AccessReviews(AnswerAsync, () => namespaces.ToHashSet(), () => inUse, time, NullLogger<AccessReviews>.Instance);
        grants = new Grants(reviews);
    }

    [Fact]
    public async Task Review_asks_as_the_account_about_spaces_and_attachments_in_each_namespace()
    {
        allowed.Add("shop");
        await grants.ReadyAsync(Peer, Frontend, default);

        May("shop").ShouldBeTrue();
        May("dev").ShouldBeFalse();
        asked.Select(a => $"{a.ResourceAttributes.Verb} {a.ResourceAttributes.Resource} {a.ResourceAttributes.Namespace}").ShouldBe(
            ["consume spaces ", "consume spaces shop", "consume spaces dev", "create attachments ", "create attachments shop", "create attachments dev"], ignoreOrder: true);
        asked.ShouldAllBe(a => a.User == "bob" && a.Uid == "u1" && a.Groups.Single() == "devs" && a.Extra["scopes"].Single() == "a"
            && a.ResourceAttributes.Group == "fairlead.dev");
    }

    [Fact]
    public async Task Right_to_attach_is_not_the_right_to_consume()
    {
        allowed.Add("shop");
        attachable.Add("dev");
        await grants.ReadyAsync(Peer, Frontend, default);

        var rights = grants.Of(Peer);
        new[] { rights.MayConsume("shop", "x"), rights.MayConsume("dev", "x"), rights.MayAttach("shop", "x"), rights.MayAttach("dev", "x") }.ShouldBe([true, false, false, true]);
        rights.AttachDenial(new("shop", "x")).ShouldBe("no grant to attach to shop/x, and RBAC does not let bob create attachments.fairlead.dev in its namespace");
    }

    [Fact]
    public async Task Right_to_attach_that_changes_is_a_change()
    {
        await grants.ReadyAsync(Peer, Frontend, default);
        var before = reviews.Of(Bob);
        attachable.Add("shop");
        time.Advance(AccessReviews.MaxAge);
        await grants.ReadyAsync(Peer, Frontend, default);

        reviews.Of(Bob).SameAs(before).ShouldBeFalse();
        grants.Of(Peer).MayAttach("shop", "x").ShouldBeTrue();
    }

    [Fact]
    public async Task Review_of_everywhere_is_one_question_for_each_right_and_covers_what_comes()
    {
        allowed.Add("");
        attachable.Add("");
        await grants.ReadyAsync(Peer, Frontend, default);

        May("not-there-yet").ShouldBeTrue();
        asked.Count.ShouldBe(2);
        grants.Of(Peer).MayAttach("not-there-yet", "x").ShouldBeTrue();
        grants.Of(Peer).Names("default", "kubernetes").ShouldBeFalse();
    }

    [Fact]
    public async Task Answer_is_kept_for_a_while_and_then_asked_anew()
    {
        await grants.ReadyAsync(Peer, Frontend, default);
        allowed.Add("shop");
        await grants.ReadyAsync(Peer, Frontend, default);
        May("shop").ShouldBeFalse();

        time.Advance(AccessReviews.MaxAge);
        await grants.ReadyAsync(Peer, Frontend, default);
        May("shop").ShouldBeTrue();
    }

    [Fact]
    public async Task Namespace_that_came_since_is_asked_about_at_once_but_one_without_services_never_is()
    {
        await grants.ReadyAsync(Peer, Frontend, default);
        var before = asked.Count;
        await grants.ReadyAsync(Peer, new FlowTarget(TransportProtocol.Tcp, "x.nowhere.svc", 80), default);
        asked.Count.ShouldBe(before);

        namespaces.Add("new");
        allowed.Add("new");
        await grants.ReadyAsync(Peer, new FlowTarget(TransportProtocol.Tcp, "x.new.svc", 80), default);
        May("new").ShouldBeTrue();
    }

    [Fact]
    public async Task Grant_suffices_without_rbac()
    {
        grants.Put("g", new GrantSpec(["k8s-group:devs"], [new GrantRule(["dev"])]));
        await grants.ReadyAsync(Peer, Frontend, default);
        May("dev").ShouldBeTrue();
        May("shop").ShouldBeFalse();
    }

    [Fact]
    public async Task Failure_leaves_the_last_answer_in_force_for_a_while_and_then_refuses_with_the_reason()
    {
        allowed.Add("shop");
        await grants.ReadyAsync(Peer, Frontend, default);
        down = true;
        time.Advance(AccessReviews.MaxAge);
        await grants.ReadyAsync(Peer, Frontend, default);
        May("shop").ShouldBeTrue();

        time.Advance(AccessReviews.Patience);
        await grants.ReadyAsync(Peer, Frontend, default);
        May("shop").ShouldBeFalse();
        FlowPlanner.Denial(grants.Of(Peer), new("shop", "frontend"), new("fairlead", "fairlead-gateway")).ShouldBe(
            "no grant to consume shop/frontend, and whether RBAC allows it is not known: the API server could not be asked for 5 minutes");

        down = false;
        time.Advance(TimeSpan.FromSeconds(2));
        await grants.ReadyAsync(Peer, Frontend, default);
        May("shop").ShouldBeTrue();
    }

    [Fact]
    public async Task Failure_is_not_repeated_for_every_flow()
    {
        down = true;
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => grants.ReadyAsync(Peer, Frontend, default).AsTask()));
        asked.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Denial_says_that_neither_grant_nor_rbac_allows_it()
    {
        await grants.ReadyAsync(Peer, Frontend, default);
        FlowPlanner.Denial(grants.Of(Peer), new("shop", "frontend"), new("fairlead", "fairlead-gateway")).ShouldBe(
            "no grant to consume shop/frontend, and RBAC does not let bob consume spaces.fairlead.dev in its namespace");
    }

    [Fact]
    public async Task Whoever_is_in_use_is_asked_about_again_and_a_change_is_told()
    {
        var changed = new SemaphoreSlim(0);
        allowed.Add("shop");
        await grants.ReadyAsync(Peer, Frontend, default);
        inUse.Add(Peer);
        reviews.Changed = () => changed.Release();
        using var stop = new CancellationTokenSource();
        var running = reviews.RunAsync(stop.Token);

        allowed.Clear();
        while (!await changed.WaitAsync(TimeSpan.FromMilliseconds(5)))
        {
            time.Advance(AccessReviews.Interval);
        }

        May("shop").ShouldBeFalse();
        await stop.CancelAsync();
        await running;
    }

    private bool May(string @namespace) => grants.Of(Peer).MayConsume(@namespace, "frontend");

    private Task<SubjectAccessReviewStatus> AnswerAsync(SubjectAccessReviewSpec review, CancellationToken cancellationToken)
    {
        asked.Enqueue(review);
        return down
            ? throw new KubernetesException(0, KubernetesException.Unreachable, "down")
            : Task.FromResult(new SubjectAccessReviewStatus { Allowed = (review.ResourceAttributes.Resource == "attachments" ? attachable : allowed).Contains(review.ResourceAttributes.Namespace ?? "") });
    }
}
