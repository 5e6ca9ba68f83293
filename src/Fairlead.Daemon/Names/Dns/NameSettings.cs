using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Settings;

namespace Fairlead.Daemon.Names.Dns;

/// <summary>What people wish of names: from this laptop's options, else from the gateway of the space in use.</summary>
/// <param name="UseDns">The resolver <c>dns</c>, not <c>hosts</c>.</param>
/// <param name="Include">Suffixes that the cluster's DNS is asked for.</param>
/// <param name="Exclude">Suffixes, and names, that are none of the cluster's.</param>
/// <param name="Mappings">Names that stand for another name or an address, as they are written.</param>
internal sealed record NameSettings(bool UseDns, string Include, string Exclude, string Mappings)
{
    public static NameSettings Read(DaemonSettings settings, IReadOnlyDictionary<string, string> gateway) => new(
        settings.Effective(ClientSettingKeys.Resolver, gateway) == DaemonSettings.ResolverDns,
        settings.Effective(ClientSettingKeys.DnsIncludeSuffixes, gateway),
        settings.Effective(ClientSettingKeys.DnsExcludeSuffixes, gateway),
        settings.Effective(DaemonSettings.DnsMappings, gateway));

    public IEnumerable<string> IncludeSuffixes => SettingText.Entries(Include).Select(entry => entry.Trim('.'));

    public IEnumerable<string> ExcludeSuffixes => SettingText.Entries(Exclude).Select(entry => entry.Trim('.'));

    /// <summary>Alias and what it stands for.</summary>
    public IEnumerable<(string Alias, string Target)> AliasedNames => SettingText.Entries(Mappings).Select(entry => entry.Split('=')).Select(parts => (parts[0], parts[1]));
}
