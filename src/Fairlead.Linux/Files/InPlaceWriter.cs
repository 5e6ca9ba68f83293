using Fairlead.Linux.Native;
using Fairlead.Platform;

namespace Fairlead.Linux.Files;

/// <summary>
/// Writes a file that can't be replaced. Old and new content are on disk before its first octet changes, so that <see cref="Recover"/>
/// can finish what a kill cut.
/// </summary>
/// <param name="record">Path of the write-ahead record, without suffix; its directory exists.</param>
internal sealed class InPlaceWriter(string record)
{
    private readonly string recordPath = record + ".write-ahead";

    /// <summary>Where the old content goes when a cut write met an edit by somebody else: for repair by hand.</summary>
    private readonly string rescuePath = record + ".before-crash";

    private string TargetPath => recordPath + ".target";

    /// <exception cref="IOException">The file has its old content again, or <see cref="Recover"/> will give it its new one.</exception>
    public ReplaceOutcome Write(string target, ReadOnlyMemory<byte> old, ReadOnlyMemory<byte> content, Func<bool> unchanged)
    {
        using var file = Durable.Open(target, Libc.OpenWriteOnly, "write");
        WriteDurably(TargetPath, System.Text.Encoding.UTF8.GetBytes(target));
        WriteDurably(recordPath, new WriteAhead(old, content).Format());
        if (!unchanged())
        {
            Forget();
            return ReplaceOutcome.Raced;
        }

        try
        {
            Overwrite(file, content.Span);
        }
        catch (IOException)
        {
            // Most likely a full disk. The old content has its room still; if even that fails, the record stays.
            Overwrite(file, old.Span);
            Forget();
            throw;
        }

        Forget();
        return ReplaceOutcome.Done;
    }

    /// <summary>Finishes a write that was cut. Does nothing when there is none.</summary>
    public void Recover()
    {
        if (!File.Exists(recordPath))
        {
            return;
        }

        var target = File.ReadAllText(TargetPath);
        if (WriteAhead.Parse(File.ReadAllBytes(recordPath)) is { } ahead && File.Exists(target))
        {
            switch (ahead.Judge(File.ReadAllBytes(target)))
            {
                case WriteAhead.Finding.Torn:
                    using (var file = Durable.Open(target, Libc.OpenWriteOnly, "write"))
                    {
                        Overwrite(file, ahead.New.Span);
                    }

                    break;
                case WriteAhead.Finding.Foreign:
                    WriteDurably(rescuePath, ahead.Old.Span);
                    break;
            }
        }

        Forget();
    }

    private static void Overwrite(Microsoft.Win32.SafeHandles.SafeFileHandle file, ReadOnlySpan<byte> content)
    {
        RandomAccess.Write(file, content, 0);
        RandomAccess.SetLength(file, content.Length);
        RandomAccess.FlushToDisk(file);
    }

    private static void WriteDurably(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + ".new";
        File.Delete(temporary);
        using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
        {
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }

        if (Libc.Rename(temporary, path) != 0)
        {
            throw FileFailure.Of(Errno.Last, path, "write");
        }

        Durable.SynchronizeDirectory(Path.GetDirectoryName(path)!);
    }

    private void Forget()
    {
        File.Delete(recordPath);
        Durable.SynchronizeDirectory(Path.GetDirectoryName(recordPath)!);
        File.Delete(TargetPath);
    }
}
