namespace Fairlead.Testbed;

/// <summary>
/// The whole list of what a cluster may lack: a test that needs one of these skips there, with the reason. Everything else is asked of every cluster.
/// </summary>
public enum ClusterFeature
{
    /// <summary>The image postgres:15, which a cluster without a registry can't pull.</summary>
    Postgres,

    /// <summary>The image redis:7, likewise.</summary>
    Redis,

    /// <summary>The image python:3, likewise.</summary>
    Python,

    /// <summary>Nodes into whose pods' network namespaces the test can go, to give pods addresses that the cluster doesn't.</summary>
    PodLinks,
}
