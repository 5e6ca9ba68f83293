using Fairlead.Kubernetes;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>
/// Asks the API server again while it drops connections, and says so: a control plane that restarts is no reason to leave half an
/// installation. Before its first answer nothing is asked twice, so that a wrong address is told at once. What is asked must bear repeating.
/// </summary>
internal sealed class PatientCluster(KubernetesClient client, IProgress<string> progress, TimeProvider time)
{
    /// <summary>A control plane of one machine restarts in half of this.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private bool answered;

    public KubernetesClient Client => client;

    public IProgress<string> Progress => progress;

    public TimeProvider Time => time;

    public async Task<T> AskAsync<T>(Func<KubernetesClient, Task<T>> ask, CancellationToken cancellationToken)
    {
        long? since = null;
        while (true)
        {
            try
            {
                var answer = await ask(client);
                if (since is not null)
                {
                    progress.Report("the API server answers again");
                }

                answered = true;
                return answer;
            }
            catch (KubernetesException e) when (answered && IsPassing(e) && (since is null || time.GetElapsedTime(since.Value) < Patience))
            {
                since ??= time.GetTimestamp();
                progress.Report($"the API server does not answer, trying again: {e.Message}");
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }

    /// <summary>No answer, or one that says to come back.</summary>
    private static bool IsPassing(KubernetesException e) => e is { Code: 0, Reason: KubernetesException.Unreachable or KubernetesException.Timeout } or { Code: 429 or 502 or 503 or 504 };
}
