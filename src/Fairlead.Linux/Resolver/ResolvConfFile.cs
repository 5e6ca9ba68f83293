using Fairlead.Linux.Files;
using Fairlead.Platform;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Resolver;

namespace Fairlead.Linux.Resolver;

/// <summary>
/// The file that names the servers: a file, a symlink to one that others keep writing (which is left in peace, and read), a bind mount, or missing.
/// Calls are serialised by the owner.
/// </summary>
internal sealed class ResolvConfFile(string path, LinuxHostPaths paths)
{
    /// <summary>Of <see cref="HostChange"/>; the subject is the file's path. What stood there is in the file itself.</summary>
    public const string JournalKind = "resolv-conf";

    public string Path => path;

    /// <summary>What stands there without us, what that means, and whether programs read ours now.</summary>
    /// <exception cref="HostException">It can't be read.</exception>
    public async Task<(Original Original, ResolvConf Meaning, ReadOnlyMemory<byte>? Current)> ReadAsync(CancellationToken cancellationToken)
    {
        if (LinkTarget() is { } target)
        {
            return (Original.Link(target), ResolvConf.Parse(ReadLink(target).Span), null);
        }

        if (!File.Exists(path))
        {
            return (Original.Missing, ResolvConf.Parse([]), null);
        }

        using var file = await OpenAsync(cancellationToken);
        var content = await file.ReadAsync(cancellationToken);
        var original = OriginalOf(content);
        return (original, ResolvConf.Parse(MeaningOf(original).Span), content);
    }

    /// <returns>Whether it was written.</returns>
    /// <exception cref="HostException">It is as it was.</exception>
    public async Task<bool> ClaimAsync(ResolverClaim claim, CancellationToken cancellationToken)
    {
        byte[] Compose(Original original) => ClaimedResolvConf.Compose(claim, original, ResolvConf.Parse(MeaningOf(original).Span));
        if (LinkTarget() is { } target)
        {
            Replace(beside => WriteWhole(beside, Compose(Original.Link(target))));
            return true;
        }

        if (!File.Exists(path))
        {
            Replace(beside => WriteWhole(beside, Compose(Original.Missing)));
            return true;
        }

        using var file = await OpenAsync(cancellationToken);
        return await file.UpdateAsync(content => Compose(OriginalOf(content)), cancellationToken);
    }

    /// <summary>Puts back what stood there; a file that isn't ours stays.</summary>
    /// <returns>Whether anything was changed.</returns>
    /// <exception cref="HostException">It is as it was.</exception>
    public async Task<bool> RestoreAsync(CancellationToken cancellationToken)
    {
        if (LinkTarget() is not null || !File.Exists(path))
        {
            return false;
        }

        using var file = await OpenAsync(cancellationToken);
        switch (ClaimedResolvConf.FindOriginal(await file.ReadAsync(cancellationToken), ReadLink))
        {
            case { Kind: OriginalKind.Link } link:
                Replace(beside => File.CreateSymbolicLink(beside, link.Target));
                return true;
            case { Kind: OriginalKind.Missing }:
                File.Delete(path);
                return true;
            case { Kind: OriginalKind.File }:
                return await file.UpdateAsync(content => ClaimedResolvConf.FindOriginal(content, ReadLink) is { Kind: OriginalKind.File } original ? original.Text : content, cancellationToken);
            default:
                return false;
        }
    }

    /// <summary>Files whose changes change what counts without us: where the symlink leads that we replaced.</summary>
    public string? FollowedTarget(Original original) => original.Kind == OriginalKind.Link ? Resolve(original.Target) : null;

    private Original OriginalOf(ReadOnlyMemory<byte> content) => ClaimedResolvConf.FindOriginal(content, ReadLink) ?? new Original(OriginalKind.File, content);

    private ReadOnlyMemory<byte> MeaningOf(Original original) => original.Kind switch
    {
        OriginalKind.File => original.Text,
        OriginalKind.Link => ReadLink(original.Target),
        _ => ReadOnlyMemory<byte>.Empty,
    };

    private string? LinkTarget() => new FileInfo(path).LinkTarget;

    private string Resolve(string target) => System.IO.Path.GetFullPath(target, System.IO.Path.GetDirectoryName(path)!);

    /// <summary>A link that leads nowhere, or to something that can't be read, names no server.</summary>
    private ReadOnlyMemory<byte> ReadLink(string target)
    {
        try
        {
            return File.ReadAllBytes(Resolve(target));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ReadOnlyMemory<byte>.Empty;
        }
    }

    private async Task<HostFile> OpenAsync(CancellationToken cancellationToken) => await HostFile.OpenAsync(path, paths.StateDirectory, paths.RunDirectory, cancellationToken);

    /// <summary>In one step, so that at any moment the one or the other stands there. A symlink can't be a bind mount, so the rename works.</summary>
    private void Replace(Action<string> make)
    {
        var beside = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path)!, $".{System.IO.Path.GetFileName(path)}.fairlead");
        try
        {
            File.Delete(beside);
            make(beside);
            if (Native.Libc.Rename(beside, path) != 0)
            {
                throw FileFailure.Of(Native.Errno.Last, path, "replace");
            }

            Durable.SynchronizeDirectory(System.IO.Path.GetDirectoryName(path)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileFailure.Of(exception, path, "replace");
        }
    }

    private static void WriteWhole(string path, byte[] content)
    {
        const UnixFileMode ReadableByAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        File.SetUnixFileMode(file, ReadableByAll);
        RandomAccess.Write(file, content, 0);
        RandomAccess.FlushToDisk(file);
    }
}
