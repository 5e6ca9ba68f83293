using System.Collections.Frozen;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>What one subject may do: the rules of every Grant that names it, and of RBAC where that counts. Immutable.</summary>
internal sealed class Rights
{
    public static readonly Rights None = new([]);

    private readonly Rule[] rules;
    private readonly string? account;

    /// <param name="account">The Kubernetes user whom RBAC was asked about; null where RBAC doesn't count.</param>
    /// <param name="failure">Why more may be allowed than is known.</param>
    public Rights(IReadOnlyList<GrantRule> granted, string? account = null, string? failure = null)
    {
        this.account = account;
        Failure = failure;
        rules = [.. granted.Select(Rule.Compile).OfType<Rule>()];
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', rules.Select(r => r.Text).Order(StringComparer.Ordinal)))))[..16];
    }

    /// <summary>Equal for equal rights: a client that comes back with another one can't resume a watch.</summary>
    public string Fingerprint { get; }

    public string? Failure { get; }

    public bool IsEmpty => rules.Length == 0;

    /// <summary>All that is granted, as Grants say it.</summary>
    public IEnumerable<GrantRule> Rules => rules.Select(r => r.Source);

    public bool MayConsume(string @namespace, string service)
    {
        foreach (var rule in rules)
        {
            if (rule.Consume && rule.Covers(@namespace, service))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether every service of the namespace may be consumed, and with that every pod in it.</summary>
    public bool MayConsumeAll(string @namespace) => rules.Any(r => r.Consume && r.AllServices && r.CoversNamespace(@namespace));

    /// <summary>Whether a rule says this very namespace and service, letter by letter.</summary>
    public bool Names(string @namespace, string service) => rules.Any(r => r.Consume && r.Names(@namespace, service));

    /// <summary>Whether a CIDR of a rule that covers the service makes an exception for the address.</summary>
    public bool Excepts(string @namespace, string service, IPAddress address) =>
        rules.Any(r => r.Consume && r.Cidrs.Length > 0 && r.Covers(@namespace, service) && r.Cidrs.Any(c => c.Contains(address)));

    /// <summary>Whether a rule is about addresses themselves, not about what lies behind services, and names this one.</summary>
    public bool Reaches(IPAddress address) => rules.Any(r => r.Consume && r.IsOfAddresses && r.Cidrs.Any(c => c.Contains(address)));

    /// <summary>Whether the agent may be put beside the workload for this subject.</summary>
    /// <param name="workload">Its name, without the kind.</param>
    public bool MayAttach(string @namespace, string workload) => rules.Any(r => r.Attach && r.Covers(@namespace, workload));

    /// <summary>Why the service may not be consumed: a sentence for who asked.</summary>
    public string ConsumeDenial(ObjectKey service) => $"no grant to consume {service}" + ByRbac(GrantVerbs.Consume, ClusterObjects.SpacesResource);

    /// <summary>Why the workload may not be attached to: a sentence for who asked.</summary>
    public string AttachDenial(ObjectKey workload) => $"no grant to attach to {workload}" + ByRbac(ClusterObjects.AttachmentsVerb, ClusterObjects.AttachmentsResource);

    private string ByRbac(string verb, string resource) =>
        account is null ? ""
        : Failure is null ? $", and RBAC does not let {account} {verb} {resource}.{ClusterObjects.Group} in its namespace"
        : $", and whether RBAC allows it is not known: {Failure}";

    public bool MayResolveForeignNames => rules.Any(r => r.Dns && r.AllServices && r.AllNamespaces);

    private sealed class Rule
    {
        private readonly string[] namespaces;
        private readonly string[] services;

        private Rule(GrantRule rule, IPNetwork[] cidrs)
        {
            namespaces = [.. rule.Namespaces ?? []];
            services = [.. rule.Services ?? ["*"]];
            var verbs = rule.Verbs ?? [GrantVerbs.Consume];
            Source = rule;
            Consume = verbs.Contains(GrantVerbs.Consume);
            Attach = verbs.Contains(GrantVerbs.Attach);
            Dns = verbs.Contains(GrantVerbs.Dns);
            Cidrs = cidrs;
            AllServices = services.Contains("*");
            AllNamespaces = namespaces.Contains("*");
            Text = string.Join('|', string.Join(',', namespaces), string.Join(',', services), string.Join(',', verbs), string.Join(',', cidrs));
        }

        public GrantRule Source { get; }

        public bool Consume { get; }

        public bool Attach { get; }

        public bool Dns { get; }

        public IPNetwork[] Cidrs { get; }

        /// <summary>It names no namespaces, or all that there is.</summary>
        public bool IsOfAddresses => namespaces.Length == 0 || (AllNamespaces && AllServices);

        public bool AllServices { get; }

        public bool AllNamespaces { get; }

        public string Text { get; }

        /// <summary>Null where a CIDR can't be read: a rule that is partly understood grants nothing.</summary>
        public static Rule? Compile(GrantRule rule)
        {
            var cidrs = new List<IPNetwork>();
            foreach (var text in rule.Cidrs ?? [])
            {
                if (!IPNetwork.TryParse(text, out var cidr))
                {
                    return null;
                }

                cidrs.Add(cidr);
            }

            return new Rule(rule, [.. cidrs]);
        }

        public bool Covers(string @namespace, string service) => CoversNamespace(@namespace) && AnyMatch(services, service);

        public bool CoversNamespace(string @namespace) => AnyMatch(namespaces, @namespace);

        public bool Names(string @namespace, string service) => namespaces.Contains(@namespace) && services.Contains(service);

        private static bool AnyMatch(string[] globs, string text)
        {
            foreach (var glob in globs)
            {
                if (Glob.IsMatch(glob, text))
                {
                    return true;
                }
            }

            return false;
        }
    }
}

/// <summary>All Grants of the space at one moment, looked up by subject. Immutable: a change makes a new one.</summary>
internal sealed class GrantSet
{
    public static readonly GrantSet Empty = new([]);

    private readonly FrozenDictionary<string, Rights> bySubject;
    private readonly FrozenDictionary<string, GrantRule[]> rulesBySubject;

    public GrantSet(IEnumerable<GrantSpec> grants)
    {
        rulesBySubject = grants
            .SelectMany(g => (g.Subjects ?? []).Distinct().SelectMany(s => (g.Rules ?? []).Select(r => (Subject: s, Rule: r))))
            .GroupBy(x => x.Subject)
            .ToFrozenDictionary(x => x.Key, x => x.Select(y => y.Rule).ToArray());
        bySubject = rulesBySubject.ToFrozenDictionary(x => x.Key, x => new Rights(x.Value));
    }

    /// <summary>By the Grants alone.</summary>
    public Rights Of(PeerIdentity peer)
    {
        var names = NamesOf(peer).Where(rulesBySubject.ContainsKey).ToList();
        return names switch
        {
            [] => Rights.None,
            [var only] => bySubject[only],
            _ => new Rights([.. names.SelectMany(name => rulesBySubject[name])]),
        };
    }

    public IEnumerable<GrantRule> RulesOf(PeerIdentity peer) => NamesOf(peer).SelectMany(name => rulesBySubject.GetValueOrDefault(name) ?? []);

    /// <summary>Every subject of a Grant that means this peer.</summary>
    private static IEnumerable<string> NamesOf(PeerIdentity peer)
    {
        yield return peer.Subject;
        if (peer.Group is not null)
        {
            yield return Subjects.InviteGroupPrefix + peer.Group;
        }

        foreach (var group in peer.Account?.Groups.Distinct() ?? [])
        {
            yield return Subjects.KubernetesGroupPrefix + group;
        }
    }
}
