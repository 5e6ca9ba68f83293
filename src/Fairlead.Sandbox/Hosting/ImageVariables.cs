namespace Fairlead.Sandbox.Hosting;

/// <summary>The values that the image table's variables have on this host.</summary>
internal static class ImageVariables
{
    private static readonly string[] DotnetPlaces = ["/usr/share/dotnet", "/usr/lib/dotnet", "/usr/local/share/dotnet"];

    /// <param name="scripts">Where the embedded scripts lie.</param>
    internal static IReadOnlyDictionary<string, string> Of(SandboxOptions options, string scripts)
    {
        var variables = new Dictionary<string, string> { ["scripts"] = scripts };
        Add(variables, "gateway", options.GatewayProgram);
        Add(variables, "agent", options.AgentProgram);
        Add(variables, "shop", options.ShopProgram);
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location);
        // <root>/shared/Microsoft.NETCore.App/<version>/System.Private.CoreLib.dll, unless this process is self-contained.
        var root = runtime is null ? null : Path.GetFullPath(Path.Combine(runtime, "../../.."));
        if (DotnetPlaces.Prepend(root ?? "").Prepend(Environment.GetEnvironmentVariable("DOTNET_ROOT") ?? "")
            .FirstOrDefault(place => place.Length > 0 && Directory.Exists(Path.Combine(place, "shared"))) is { } found)
        {
            variables["dotnet"] = found;
        }

        return variables;
    }

    private static void Add(Dictionary<string, string> variables, string name, string? program)
    {
        if (program is not null)
        {
            var path = Path.GetFullPath(program);
            variables[name + "Program"] = Path.GetFileName(path);
            variables[name + "Directory"] = Path.GetDirectoryName(path)!;
        }
    }
}
