namespace Fairlead.Daemon.Run;

/// <summary>What a command's private network leads into.</summary>
/// <param name="Space">Null: the one in use.</param>
/// <param name="Consume">Rules: only what they select is reached, by addresses of its own. Empty: the cluster's whole subnets.</param>
/// <param name="Namespace">Whose services have bare names; null: the space's primary namespace.</param>
public sealed record RunOptions(string? Space, IReadOnlyList<string> Consume, string? Namespace)
{
    /// <summary>Whole subnets, by the cluster's own addresses.</summary>
    internal bool IsWhole => Consume.Count == 0;
}
