namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>Who asks: as a certificate, a token or nothing says.</summary>
internal sealed record User(string Name, IReadOnlyList<string> Groups)
{
    public const string MastersGroup = "system:masters";
    public const string AuthenticatedGroup = "system:authenticated";

    public static readonly User Anonymous = new("system:anonymous", ["system:unauthenticated"]);

    public string Uid { get; init; } = "";

    /// <summary>The pod that a token is bound to, and the like (<c>authentication.kubernetes.io/pod-name</c>).</summary>
    public IReadOnlyDictionary<string, string> Extra { get; init; } = new Dictionary<string, string>();

    public static User ServiceAccount(string @namespace, string name) =>
        new($"system:serviceaccount:{@namespace}:{name}", ["system:serviceaccounts", $"system:serviceaccounts:{@namespace}", AuthenticatedGroup]);
}
