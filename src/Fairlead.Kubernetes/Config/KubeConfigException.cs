namespace Fairlead.Kubernetes;

/// <summary>
/// The way to the cluster could not be worked out: a kubeconfig is missing, broken or contradicts itself, or a credential can't be had.
/// <see cref="Exception.Message"/> says what failed and why in one sentence each; <see cref="Hint"/> is what to do next.
/// </summary>
public sealed class KubeConfigException(string what, string why, string hint, Exception? inner = null)
    : Exception($"{what}: {why}", inner)
{
    /// <summary>One sentence with the next step, for people.</summary>
    public string Hint { get; } = hint;
}
