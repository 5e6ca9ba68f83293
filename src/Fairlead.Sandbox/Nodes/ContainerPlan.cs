namespace Fairlead.Sandbox.Nodes;

/// <summary>A directory or file of the host that appears at <paramref name="Target"/> in a container.</summary>
internal sealed record ContainerMount(string Source, string Target, bool ReadOnly);

/// <summary>Who a container's processes are and what they may do.</summary>
/// <param name="User">uid or a name of the host's passwd file.</param>
/// <param name="Group">gid or a name of the host's group file.</param>
/// <param name="Groups">Supplementary groups.</param>
/// <param name="Capabilities">Lower case without <c>cap_</c>; null leaves all (privileged).</param>
internal sealed record ContainerIdentity(
    string User, string Group, IReadOnlyList<string> Groups, IReadOnlyList<string>? Capabilities, bool NoNewPrivileges)
{
    internal bool IsRoot => User is "0" or "root";

    /// <summary>Arguments of setpriv(1) that take on this identity.</summary>
    internal IEnumerable<string> SetPrivArguments()
    {
        yield return "--reuid=" + User;
        yield return "--regid=" + Group;
        yield return Groups.Count == 0 ? "--clear-groups" : "--groups=" + string.Join(',', Groups);
        if (Capabilities is not null)
        {
            yield return "--inh-caps=-all";
            yield return "--bounding-set=" + string.Join(',', Capabilities.Select(c => "+" + c).Prepend("-all"));
        }

        if (NoNewPrivileges)
        {
            yield return "--no-new-privs";
        }
    }
}

/// <summary>All that is needed to start one container: decided before, carried out by <see cref="StartScript"/>.</summary>
internal sealed record ContainerPlan
{
    internal required string HostName { get; init; }

    /// <summary>Program and arguments, at least one.</summary>
    internal required IReadOnlyList<string> Command { get; init; }

    /// <summary>The whole environment; later ones win.</summary>
    internal required IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; }

    internal required string WorkingDirectory { get; init; }

    internal required ContainerIdentity Identity { get; init; }

    internal required IReadOnlyList<ContainerMount> Mounts { get; init; }

    internal required bool ReadOnlyRoot { get; init; }

    /// <summary>A directory with <c>upper</c>, <c>work</c> and <c>root</c>: the container's writable layer and where it is put together.</summary>
    internal required string Layer { get; init; }

    /// <summary>Directories of the host that the container sees empty.</summary>
    internal required IReadOnlyList<string> Hidden { get; init; }

    /// <summary>File systems mounted below the host's root that the container sees too, outermost first.</summary>
    internal required IReadOnlyList<string> HostMounts { get; init; }

    /// <summary>A directory with the device files of every container.</summary>
    internal required string Devices { get; init; }

    internal bool Stdin { get; init; }

    internal bool Tty { get; init; }
}
