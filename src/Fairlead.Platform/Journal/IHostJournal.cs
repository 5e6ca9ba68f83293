namespace Fairlead.Platform.Journal;

/// <summary>
/// The changes made to the host that are not undone yet: written before each change, so that whatever a killed process
/// left can be undone by the next start or by the cleanup verb. Survives a kill at any byte. Thread-safe.
/// </summary>
public interface IHostJournal : IDisposable
{
    /// <summary>Recorded and not marked undone, oldest first: at opening, what an earlier process left. Undo newest first.</summary>
    IReadOnlyList<HostChange> Pending { get; }

    /// <summary>Damaged lines that were skipped at opening (0 unless the disk or somebody's editor did it; a line cut by a kill is not counted).</summary>
    int DamagedLines { get; }

    /// <summary>Records an intent. It is on disk when this returns; only then make the change.</summary>
    /// <param name="kind">Who undoes it, a short word such as <c>nft-table</c> or <c>hosts-section</c>.</param>
    /// <param name="subject">What was changed, enough to undo it, such as a table's name or a path. Any text.</param>
    /// <exception cref="HostException">It couldn't be written: don't make the change.</exception>
    HostChange Record(string kind, string subject);

    /// <summary>The change is undone (or was never made). Unknown ids are ignored.</summary>
    /// <exception cref="HostException">It couldn't be written; the change stays pending, which is harmless since undoing is idempotent.</exception>
    void MarkUndone(HostChange change);
}

/// <param name="Id">Unique within the journal, growing.</param>
/// <param name="Kind">Who undoes it.</param>
/// <param name="Subject">What to undo.</param>
public sealed record HostChange(long Id, string Kind, string Subject);
