namespace Shop;

/// <summary>What the manifests give by environment variables; the defaults are for a run by hand.</summary>
internal static class Settings
{
    public static string Pod { get; } = Get("POD_NAME", System.Environment.MachineName);

    public static int Port { get; } = int.Parse(Get("PORT", "8080"));

    public static string Get(string name, string fallback) => System.Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : fallback;
}
