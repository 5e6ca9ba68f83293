using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Local;
using Fairlead.Cli.Verbs;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Completion;

/// <summary>What a shell may complete that only the daemon knows. No daemon, no completion: a shell's Tab is no place for an error.</summary>
internal sealed class DynamicValues(CliHost host)
{
    /// <summary>A person who presses Tab waits no longer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    public IEnumerable<string> Spaces() => Ask(LocalApi.Spaces, LocalJson.Default.SpaceList)?.Spaces.Select(s => s.Name) ?? [];

    public IEnumerable<string> OptionKeys() => Ask(LocalApi.Options, LocalJson.Default.OptionList)?.Options.Select(o => o.Key) ?? [];

    public IEnumerable<string> CurrentRules() => Ask(LocalApi.Consume, LocalJson.Default.ConsumeState)?.Rules ?? [];

    public IEnumerable<string> Namespaces() => Services().Select(s => s.Service.Namespace).Distinct().Order(StringComparer.Ordinal);

    /// <summary>Whole namespaces first; services once a namespace is typed.</summary>
    public IEnumerable<string> Rules(string word)
    {
        var not = word.StartsWith('!') ? "!" : "";
        var slash = word.IndexOf('/');
        return slash < 0
            ? Namespaces().Select(ns => $"{not}{ns}/*").ToArray()
            : Services().Where(s => s.Service.Namespace == word[not.Length..slash]).Select(s => $"{not}{s.Service.Namespace}/{s.Service.Name}").Prepend($"{word[..slash]}/*").ToArray();
    }

    private IReadOnlyList<ServiceInfo> Services() => Ask(LocalApi.Services, LocalJson.Default.ServiceList)?.Services ?? [];

    private T? Ask<T>(string path, JsonTypeInfo<T> type) where T : class
    {
        var client = new LocalClient(VerbContext.SocketOf(host, null));
        using var patience = new CancellationTokenSource(Patience, host.Time);
        try
        {
#pragma warning disable VSTHRD002 // System.CommandLine asks for completions synchronously; nothing else runs in this process then.
            return Task.Run(() => client.GetAsync(path, type, patience.Token), patience.Token).WaitAsync(patience.Token).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        catch (Exception e) when (e is FairleadException or OperationCanceledException or JsonException)
        {
            return null;
        }
    }
}
