using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Kubernetes;

/// <summary>
/// Reads kubeconfig files with kubectl's rules: <c>$KUBECONFIG</c> may list several, the first file that names an entry (or the
/// current context) wins, paths in a file are relative to that file.
/// </summary>
public static class KubeConfig
{
    /// <param name="path">One file; null means the files of <c>$KUBECONFIG</c>, else <c>~/.kube/config</c>.</param>
    /// <param name="context">A context's name; null means <c>current-context</c>.</param>
    /// <exception cref="KubeConfigException">Nothing to read, or what was read can't be used.</exception>
    public static ClusterConnection Load(string? path = null, string? context = null)
    {
        var files = path is not null
            ? [path]
            : DefaultFiles(Environment.GetEnvironmentVariable("KUBECONFIG"), Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));
        return Connect(Merge(files, mustExist: path is not null), context);
    }

    /// <param name="files">As <c>$KUBECONFIG</c> lists them: paths with the system's separator between them.</param>
    /// <exception cref="KubeConfigException">Nothing to read, or what was read can't be used.</exception>
    public static ClusterConnection LoadListed(string files, string? context) =>
        Connect(Merge(files.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), mustExist: !files.Contains(Path.PathSeparator)), context);

    internal static IReadOnlyList<string> DefaultFiles(string? variable, string home)
    {
        var listed = (variable ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return listed.Length > 0 ? listed.Distinct().ToList()
            : home.Length > 0 ? [Path.Combine(home, ".kube", "config")]
            : throw new KubeConfigException("no kubeconfig", "$KUBECONFIG is not set and there is no home directory to look in",
                "Name one with --kubeconfig or $KUBECONFIG.");
    }

    /// <summary>All files as one. A file that <c>$KUBECONFIG</c> lists and that isn't there is passed over, as kubectl does.</summary>
    internal static KubeConfigFile Merge(IReadOnlyList<string> files, bool mustExist)
    {
        var merged = new KubeConfigFile();
        var found = false;
        foreach (var file in files)
        {
            if (!mustExist && !File.Exists(file))
            {
                continue;
            }

            found = true;
            var next = Read(file);
            merged.CurrentContext = string.IsNullOrEmpty(merged.CurrentContext) ? next.CurrentContext : merged.CurrentContext;
            AddMissing(merged.Clusters, next.Clusters);
            AddMissing(merged.Contexts, next.Contexts);
            AddMissing(merged.Users, next.Users);
        }

        return found
            ? merged
            : throw new KubeConfigException("no kubeconfig", $"there is no {string.Join(" and no ", files)}",
                "Name one with --kubeconfig or $KUBECONFIG.");
    }

    internal static ClusterConnection Connect(KubeConfigFile config, string? contextName)
    {
        var name = string.IsNullOrEmpty(contextName) ? config.CurrentContext : contextName;
        if (string.IsNullOrEmpty(name))
        {
            throw new KubeConfigException("no context", "the kubeconfig sets no current-context",
                $"Name one with --context ({Names(config.Contexts)}) or set it by: kubectl config use-context NAME");
        }

        var context = Find(config.Contexts, name)?.Context
            ?? throw new KubeConfigException($"no context \"{name}\"", "the kubeconfig has none of that name",
                $"It has {Names(config.Contexts)}.");
        var cluster = Find(config.Clusters, context.Cluster)
            ?? throw new KubeConfigException($"context \"{name}\" can't be used", $"the kubeconfig has no cluster \"{context.Cluster}\"",
                $"It has {Names(config.Clusters)}.");
        var user = string.IsNullOrEmpty(context.User)
            ? null
            : Find(config.Users, context.User)
                ?? throw new KubeConfigException($"context \"{name}\" can't be used", $"the kubeconfig has no user \"{context.User}\"",
                    $"It has {Names(config.Users)}.");

        var connection = ConnectCluster(cluster);
        return connection with
        {
            Context = name,
            Namespace = string.IsNullOrEmpty(context.Namespace) ? "default" : context.Namespace,
            ImpersonateUser = user?.User.As,
            ImpersonateGroup = user is null ? null : ImpersonatedGroup(user),
            Credentials = user is null ? FixedCredentials.Anonymous : UserCredentials.From(user, cluster.Cluster, connection),
        };
    }

    private static string? ImpersonatedGroup(NamedUser user) => user.User.AsGroups switch
    {
        null or [] => null,
        [var group] => group,
        _ => throw new KubeConfigException($"user \"{user.Name}\" can't be used", "it impersonates several groups, and this client can name only one",
            "Leave one in as-groups, or use another context."),
    };

    private static ClusterConnection ConnectCluster(NamedCluster entry)
    {
        var what = $"cluster \"{entry.Name}\" can't be used";
        var cluster = entry.Cluster;
        if (!Uri.TryCreate(cluster.Server, UriKind.Absolute, out var server) || server.Scheme is not ("https" or "http"))
        {
            throw new KubeConfigException(what, $"its server \"{cluster.Server}\" is not an http or https URL",
                "Correct the server in the kubeconfig.");
        }

        Uri? proxy = null;
        if (!string.IsNullOrEmpty(cluster.ProxyUrl)
            && (!Uri.TryCreate(cluster.ProxyUrl, UriKind.Absolute, out proxy) || proxy.Scheme is not ("http" or "https" or "socks5")))
        {
            throw new KubeConfigException(what, $"its proxy-url \"{cluster.ProxyUrl}\" is not an http, https or socks5 URL",
                "Correct the proxy-url in the kubeconfig.");
        }

        var authorities = new PemSource($"cluster \"{entry.Name}\"", Resolve(entry, cluster.CertificateAuthority), cluster.CertificateAuthorityData);
        if (cluster.InsecureSkipTlsVerify && !authorities.IsEmpty)
        {
            throw new KubeConfigException(what, "it has both a certificate authority and insecure-skip-tls-verify", "Remove one of them.");
        }

        return new ClusterConnection(server)
        {
            CertificateAuthorities = authorities.IsEmpty ? null : Pem.Certificates(authorities),
            SkipTlsVerify = cluster.InsecureSkipTlsVerify,
            TlsServerName = string.IsNullOrEmpty(cluster.TlsServerName) ? null : cluster.TlsServerName,
            Proxy = proxy,
            DisableCompression = cluster.DisableCompression,
        };
    }

    private static KubeConfigFile Read(string file)
    {
        var what = $"can't read the kubeconfig {file}";
        string text;
        try
        {
            text = File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubeConfigException(what, e.Message, "Check the path and its permissions.", e);
        }

        KubeConfigFile config;
        try
        {
            config = Yaml.Parse(text) switch
            {
                [] => new KubeConfigFile(),
                [var document] => document.Deserialize(KubeConfigJson.Default.KubeConfigFile)!,
                _ => throw new FormatException("it holds several documents"),
            };
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new KubeConfigException(what, e.Message.TrimEnd('.'), "Correct the file, or make it anew.", e);
        }

        var directory = Path.GetDirectoryName(Path.GetFullPath(file))!;
        foreach (var entry in config.Clusters.Concat<NamedEntry>(config.Contexts).Concat(config.Users))
        {
            entry.Directory = directory;
        }

        return config;
    }

    internal static string? Resolve(NamedEntry entry, string? path) =>
        string.IsNullOrEmpty(path) ? null : Path.GetFullPath(path, entry.Directory);

    private static void AddMissing<T>(List<T> into, List<T> from)
        where T : NamedEntry
    {
        foreach (var entry in from)
        {
            if (Find(into, entry.Name) is null)
            {
                into.Add(entry);
            }
        }
    }

    private static T? Find<T>(List<T> entries, string? name)
        where T : NamedEntry => entries.Find(e => e.Name == name);

    private static string Names(IEnumerable<NamedEntry> entries)
    {
        var names = string.Join(", ", entries.Select(e => e.Name).Order());
        return names.Length > 0 ? names : "none";
    }
}
