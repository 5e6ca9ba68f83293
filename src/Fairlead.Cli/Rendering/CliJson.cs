using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Rendering;

/// <summary>A failure with <c>-o json</c>, on standard error.</summary>
internal sealed record ErrorReport(string Code, string Message, string? Why, string? Hint, int ExitCode)
{
    public static ErrorReport From(ErrorInfo error) => new(error.Code, error.Message, error.Why, error.Hint, (int)error.Category);
}

/// <param name="Protocol">The version of the gateway protocol this build speaks.</param>
internal sealed record VersionReport(string Version, int Protocol, string Runtime, string Platform);

/// <summary>What a verb did that leaves no object to show.</summary>
internal sealed record Done(string Result, IReadOnlyList<string>? Details = null);

/// <summary>Manifests as kubectl takes them.</summary>
internal sealed record ManifestList(string ApiVersion, string Kind, IReadOnlyList<JsonObject> Items);

internal sealed record GrantReport(IReadOnlyList<GrantInfo> Grants);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ErrorReport))]
[JsonSerializable(typeof(VersionReport))]
[JsonSerializable(typeof(Done))]
[JsonSerializable(typeof(GrantReport))]
[JsonSerializable(typeof(Invitation))]
[JsonSerializable(typeof(GatewayDeployment))]
[JsonSerializable(typeof(ManifestList))]
[JsonSerializable(typeof(SandboxState))]
internal sealed partial class CliJson : JsonSerializerContext;
