using System.Text.Json.Serialization;
using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Local;

/// <summary>
/// What the processes of <c>fairlead run</c> say to each other, one JSON object a line on a pair of connected sockets: the one that becomes the command, and the
/// one that carries its network. In turn: news until <see cref="RunNews.Ready"/> or an error; then the first one hands over its <see cref="RunDevices"/>
/// together with their descriptors and is answered with <see cref="RunFiles"/>, or an error, in one more line of news.
/// </summary>
/// <param name="Progress">For a person who waits.</param>
/// <param name="Error">It can't be done; nothing follows.</param>
/// <param name="Ready">The space can be reached: the namespaces may be made.</param>
/// <param name="Warnings">With <see cref="Ready"/>, for a person.</param>
/// <param name="Files">All is served: the command may begin.</param>
public sealed record RunNews(string? Progress = null, ErrorInfo? Error = null, bool Ready = false, IReadOnlyList<string>? Warnings = null, RunFiles? Files = null)
{
    /// <summary>Of a line, in bytes: a hosts file is the largest part, and a machine that blocks half the web by it has some megabytes.</summary>
    public const int MaxLine = 32 << 20;
}

/// <summary>What was made inside the private network. Beside it travel the device's descriptors, then those of the DNS server's UDP and TCP sockets.</summary>
/// <param name="Name">Of the device, as are the index, the MTU and the addresses.</param>
/// <param name="Address6">Null where there is no IPv6.</param>
public sealed record RunDevices(string Name, int Index, int Mtu, string Address, string? Address6);

/// <summary>What the command sees in place of the host's files.</summary>
public sealed record RunFiles(string Hosts, string ResolvConf);

// Nulls are left out: most members of a line are.
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(RunNews))]
[JsonSerializable(typeof(RunDevices))]
public sealed partial class RunJson : JsonSerializerContext;
