using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Installation;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration;

/// <summary>Invites, revocations and Grants.</summary>
public sealed partial class SpaceAdministration
{
    private const int SecretLength = 32;
    private const int MaxUses = 1000;
    private static readonly TimeSpan LongestInvite = TimeSpan.FromDays(365);

    /// <summary>For so long an expired invite stays, so that whoever uses it is told that it has expired, and not that there is none.</summary>
    private static readonly TimeSpan KeepExpired = TimeSpan.FromDays(7);

    public async Task<Invitation> InviteAsync(ClusterSelection cluster, InviteOptions options, CancellationToken cancellationToken)
    {
        Check(options);
        var rules = NamespaceRules.Parse(options.Namespaces);
        return await WithClientAsync(cluster, async client =>
        {
            var space = await ReadSpaceAsync(client, cluster.Namespace, cancellationToken);
            if (rules.Count > 0)
            {
                await client.ApplyAsync(GrantObject.Resource, MakeGrant(cluster.Namespace, options.User, rules), GatewayInstaller.FieldManager, force: true, cancellationToken);
            }

            var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
            var secret = RandomNumberGenerator.GetBytes(SecretLength);

            // By the cluster's clock, which the gateway's is near to; this machine's may be anything.
            var now = await client.GetServerTimeAsync(cancellationToken);
            var expires = now + options.Expires;
            await client.CreateAsync(Resources.Secrets, MakeInvite(cluster.Namespace, id, secret, expires, options), cancellationToken);
            await PruneInvitesAsync(client, cluster.Namespace, now, cancellationToken);
            var token = new JoinToken(space.Name, space.Uid, space.Endpoints, space.AuthoritySha256, id, Base64Url.EncodeToString(secret), expires);
            return new Invitation(options.User, space.Name, token.Encode(), expires, options.Uses, options.Namespaces);
        });
    }

    public async Task RevokeAsync(ClusterSelection cluster, string user, CancellationToken cancellationToken)
    {
        var subject = SubjectOf(user);
        await WithClientAsync(cluster, async client =>
        {
            // First what ends live access, and once more at the end: whatever the gateway was issuing while it had not heard of this yet is
            // older than the second time (Enrolment takes its times before it looks).
            await WriteRevocationAsync(client, cluster.Namespace, subject, cancellationToken);
            if (subject == Subjects.InvitePrefix + user)
            {
                await DeleteInvitesAsync(client, cluster.Namespace, user, cancellationToken);
            }

            await RemoveFromGrantsAsync(client, cluster.Namespace, subject, cancellationToken);
            await WriteRevocationAsync(client, cluster.Namespace, subject, cancellationToken);
            return true;
        });
    }

    public async Task LiftRevocationAsync(ClusterSelection cluster, string user, CancellationToken cancellationToken)
    {
        if (!user.StartsWith(Subjects.KubernetesPrefix, StringComparison.Ordinal))
        {
            throw new FairleadException(
                ErrorCategory.Usage, "option-invalid", $"The revocation of {user} can't be undone", "certificates that were given by invite stay revoked", $"Invite again: 'fairlead space invite {user}'.");
        }

        var key = ClusterObjects.RevocationKey(SubjectOf(user));
        await WithClientAsync(cluster, async client =>
        {
            var change = Patch.Merge(new JsonObject { ["data"] = new JsonObject { [key] = null } });
            try
            {
                await client.PatchAsync(Resources.ConfigMaps, cluster.Namespace, ClusterObjects.RevocationsConfigMap, change, cancellationToken);
            }
            catch (KubernetesException e) when (e.IsNotFound)
            {
                // Nobody was ever revoked.
            }

            return true;
        });
    }

    public Task<IReadOnlyList<GrantInfo>> ListGrantsAsync(ClusterSelection cluster, CancellationToken cancellationToken) => WithClientAsync<IReadOnlyList<GrantInfo>>(cluster, async client =>
    {
        var grants = await client.ListAsync(GrantObject.Resource, cluster.Namespace, cancellationToken: cancellationToken);
        return
        [
            .. grants.Items.OrderBy(g => g.Metadata.Name, StringComparer.Ordinal).Select(g => new GrantInfo(
                g.Metadata.Name ?? "",
                g.Spec?.Subjects ?? [],
                [.. (g.Spec?.Rules ?? []).SelectMany(rule => rule.Describe())],
                [.. (g.Spec?.Rules ?? []).SelectMany(r => r.Verbs ?? [GrantVerbs.Consume]).Distinct()],
                g.Metadata.CreationTimestamp)),
        ];
    });

    private static void Check(InviteOptions options)
    {
        CheckName(options.User, "user");
        if (options.Group is not null)
        {
            CheckName(options.Group, "group");
        }

        if (options.Uses is < 1 or > MaxUses)
        {
            throw new FairleadException(ErrorCategory.Usage, "option-invalid", $"An invite can't have {options.Uses} uses", $"it takes 1 to {MaxUses}", "Leave out --uses for one.");
        }

        if (options.Expires <= TimeSpan.Zero || options.Expires > LongestInvite)
        {
            throw new FairleadException(ErrorCategory.Usage, "option-invalid", "An invite can't expire then", $"it may last up to {LongestInvite.TotalDays:0} days", "For example --expires 7d.");
        }
    }

    /// <summary><c>k8s:NAME</c> is the cluster's user of that name, anything else one who was invited.</summary>
    private static string SubjectOf(string user)
    {
        if (!user.StartsWith(Subjects.KubernetesPrefix, StringComparison.Ordinal))
        {
            CheckName(user, "user");
            return Subjects.InvitePrefix + user;
        }

        return Subjects.IsKubernetesName(user[Subjects.KubernetesPrefix.Length..])
            ? user
            : throw new FairleadException(ErrorCategory.Usage, "name-invalid", $"'{user}' can't be a user of the cluster", "the name is empty, too long, or holds control characters", "For example 'k8s:bob@example.com'.");
    }

    private static void CheckName(string name, string what)
    {
        if (!Subjects.IsLabel(name))
        {
            throw new FairleadException(ErrorCategory.Usage, "name-invalid", $"'{name}' can't be the name of a {what}", "names are up to 63 lower-case letters, digits and inner hyphens", "For example 'alice'.");
        }
    }

    private static async Task<(string Name, string Uid, IReadOnlyList<GatewayEndpoint> Endpoints, string AuthoritySha256)> ReadSpaceAsync(KubernetesClient client, string ns, CancellationToken cancellationToken)
    {
        var space = await client.GetAsync(Resources.ConfigMaps, ns, ClusterObjects.SpaceConfigMap, cancellationToken);
        if (space is null)
        {
            var deployment = await client.GetAsync(Resources.Deployments, ns, ClusterObjects.Gateway, cancellationToken);
            throw deployment is null
                ? new FairleadException(ErrorCategory.NotConnected, "gateway-not-installed", "This cluster has no gateway", $"there is none in its namespace {ns}", "Install it: 'fairlead gateway install'.")
                : NotReady("it has not published its space yet");
        }

        var endpoints = Inspection.EndpointsOf(space, ns);
        if (endpoints.Count == 0)
        {
            throw new FairleadException(
                ErrorCategory.NotConnected, "gateway-unexposed", "The gateway does not know where laptops reach it", "its Service has neither a load balancer's address nor node ports", "Name it: fairlead gateway upgrade --set 'endpoints={HOST:API-PORT:DATA-PORT}'");
        }

        try
        {
            using var authority = X509Certificate2.CreateFromPem(space.Data[SpaceKeys.Authority]);
            return (space.Data[SpaceKeys.Name], space.Data[SpaceKeys.Uid], endpoints, Convert.ToHexStringLower(SHA256.HashData(authority.RawData)));
        }
        catch (Exception e) when (e is KeyNotFoundException or CryptographicException)
        {
            throw NotReady($"its ConfigMap {ClusterObjects.SpaceConfigMap} is incomplete", e);
        }
    }

    private static FairleadException NotReady(string why, Exception? inner = null) =>
        new(ErrorCategory.NotConnected, "gateway-not-ready", "The gateway is not ready", why, "See 'fairlead gateway status'.", inner);

    private static Secret MakeInvite(string ns, string id, byte[] secret, DateTimeOffset expires, InviteOptions options) => new()
    {
        Metadata =
        {
            Namespace = ns,
            Name = ClusterObjects.InviteSecretPrefix + id,
            Labels = new() { [ClusterObjects.ManagedByLabel] = GatewayInstaller.FieldManager, [ClusterObjects.UserLabel] = options.User },
        },
        Type = ClusterObjects.InviteSecretType,
        Data = new()
        {
            [InviteKeys.User] = Encoding.ASCII.GetBytes(options.User),
            [InviteKeys.Group] = Encoding.ASCII.GetBytes(options.Group ?? ""),
            [InviteKeys.SecretSha256] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(secret))),
            [InviteKeys.Expires] = Encoding.ASCII.GetBytes(expires.ToString("O", CultureInfo.InvariantCulture)),
            [InviteKeys.UsesLeft] = Encoding.ASCII.GetBytes(options.Uses.ToString(CultureInfo.InvariantCulture)),
        },
    };

    private static GrantObject MakeGrant(string ns, string user, IReadOnlyList<GrantRule> rules) => new()
    {
        Metadata =
        {
            Namespace = ns,
            Name = "invite-" + user,
            Labels = new() { [ClusterObjects.ManagedByLabel] = GatewayInstaller.FieldManager, [ClusterObjects.UserLabel] = user },
        },
        Spec = new GrantSpec([Subjects.InvitePrefix + user], rules),
    };

    private static async Task WriteRevocationAsync(KubernetesClient client, string ns, string subject, CancellationToken cancellationToken)
    {
        var key = ClusterObjects.RevocationKey(subject);
        var at = (await client.GetServerTimeAsync(cancellationToken)).ToString("O", CultureInfo.InvariantCulture);
        var change = Patch.Merge(new JsonObject { ["data"] = new JsonObject { [key] = at } });
        try
        {
            await client.PatchAsync(Resources.ConfigMaps, ns, ClusterObjects.RevocationsConfigMap, change, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            await CreateRevocationsAsync(client, ns, key, at, change, cancellationToken);
        }
    }

    private static async Task CreateRevocationsAsync(KubernetesClient client, string ns, string key, string at, Patch change, CancellationToken cancellationToken)
    {
        var map = new ConfigMap
        {
            Metadata = { Namespace = ns, Name = ClusterObjects.RevocationsConfigMap, Labels = new() { [ClusterObjects.ManagedByLabel] = GatewayInstaller.FieldManager } },
            Data = new() { [key] = at },
        };
        try
        {
            await client.CreateAsync(Resources.ConfigMaps, map, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            await client.PatchAsync(Resources.ConfigMaps, ns, ClusterObjects.RevocationsConfigMap, change, cancellationToken);
        }
    }

    /// <summary>Removes invites that expired long ago, of everybody. Each expires, also when it was used up before.</summary>
    private static async Task PruneInvitesAsync(KubernetesClient client, string ns, DateTimeOffset now, CancellationToken cancellationToken)
    {
        try
        {
            var invites = await client.ListAsync(Resources.Secrets, ns, $"{ClusterObjects.ManagedByLabel}={GatewayInstaller.FieldManager}", cancellationToken: cancellationToken);
            foreach (var invite in invites.Items.Where(i => i.Type == ClusterObjects.InviteSecretType && ExpiryOf(i) is { } expired && expired + KeepExpired < now))
            {
                await client.DeleteAsync(Resources.Secrets, ns, invite.Metadata.Name!, cancellationToken);
            }
        }
        catch (KubernetesException e) when (e.Code == 403)
        {
            // Whoever may only invite leaves the clearing up to others.
        }
    }

    private static DateTimeOffset? ExpiryOf(Secret invite) =>
        invite.Data.TryGetValue(InviteKeys.Expires, out var bytes) && DateTimeOffset.TryParse(Encoding.ASCII.GetString(bytes), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;

    private static async Task DeleteInvitesAsync(KubernetesClient client, string ns, string user, CancellationToken cancellationToken)
    {
        var invites = await client.ListAsync(Resources.Secrets, ns, $"{ClusterObjects.UserLabel}={user}", cancellationToken: cancellationToken);
        foreach (var invite in invites.Items.Where(i => i.Metadata.Name?.StartsWith(ClusterObjects.InviteSecretPrefix, StringComparison.Ordinal) == true))
        {
            await client.DeleteAsync(Resources.Secrets, ns, invite.Metadata.Name!, cancellationToken);
        }
    }

    /// <summary>Grants that are only the subject's go; from those that others share it is taken out.</summary>
    private static async Task RemoveFromGrantsAsync(KubernetesClient client, string ns, string subject, CancellationToken cancellationToken)
    {
        var grants = await client.ListAsync(GrantObject.Resource, ns, cancellationToken: cancellationToken);
        foreach (var grant in grants.Items.Where(g => g.Spec?.Subjects?.Contains(subject) == true))
        {
            var others = grant.Spec!.Subjects!.Where(s => s != subject).ToArray();
            if (others.Length == 0)
            {
                await client.DeleteAsync(GrantObject.Resource, ns, grant.Metadata.Name!, cancellationToken);
                continue;
            }

            // With the version that was read, so that a change by somebody else in between is not lost but a conflict.
            var change = new JsonObject
            {
                ["metadata"] = new JsonObject { ["resourceVersion"] = grant.Metadata.ResourceVersion },
                ["spec"] = new JsonObject { ["subjects"] = new JsonArray([.. others.Select(s => JsonValue.Create(s))]) },
            };
            await client.PatchAsync(GrantObject.Resource, ns, grant.Metadata.Name!, Patch.Merge(change), cancellationToken);
        }
    }
}
