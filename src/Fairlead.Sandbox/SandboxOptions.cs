using System.Text.Json.Serialization;

namespace Fairlead.Sandbox;

/// <summary>What one embedded cluster is made of. Two sandboxes at once differ in name, directories and host subnet.</summary>
public sealed record SandboxOptions
{
    public const string DefaultHostSubnet = "198.18.0.0/30";

    /// <summary>Lower case letters, digits and dashes; the host's end of the cable is named after it.</summary>
    public string Name { get; init; } = "default";

    /// <summary>Kubeconfig, log, and the data of pods and volumes.</summary>
    public string StateDirectory { get; init; } = "/var/lib/fairlead-sandbox";

    /// <summary>Which process serves, and the mount point of what it keeps in memory.</summary>
    public string RunDirectory { get; init; } = "/run/fairlead-sandbox";

    /// <summary>IPv4, /30 or wider: the first address is the host's, the second the cluster's.</summary>
    public string HostSubnet { get; init; } = DefaultHostSubnet;

    /// <summary>Stands for the image <c>fairlead/fairlead:*</c>; null: that image cannot be pulled.</summary>
    public string? GatewayProgram { get; init; }

    /// <summary>The other program in that image.</summary>
    public string? AgentProgram { get; init; }

    /// <summary>Stands for the image <c>fairlead/shop:*</c>.</summary>
    public string? ShopProgram { get; init; }

    /// <summary>A JSON table of more images.</summary>
    public string? ImagesFile { get; init; }

    /// <summary>Program and arguments that end in <see cref="SandboxLauncher.ServeAsync"/> with the same directories.</summary>
    public IReadOnlyList<string> ServeCommand { get; init; } = [];

    [JsonIgnore]
    public string Kubeconfig => Path.Combine(StateDirectory, "kubeconfig");

    [JsonIgnore]
    public string LogFile => Path.Combine(StateDirectory, "sandbox.log");

    /// <summary>A sandbox that keeps everything below one directory.</summary>
    public static SandboxOptions At(string stateDirectory) => new()
    {
        Name = $"d{Network.HostLink.Digest(stateDirectory)}",
        StateDirectory = stateDirectory,
        RunDirectory = Path.Combine(stateDirectory, "run"),
    };
}

/// <summary>It cannot be done, said to people.</summary>
/// <param name="message">What, and why.</param>
/// <param name="hint">What to do next; null when there is nothing.</param>
public sealed class SandboxException(string message, string? hint = null) : Exception(message)
{
    public string? Hint { get; } = hint;
}

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(SandboxOptions))]
internal sealed partial class SandboxJson : JsonSerializerContext;
