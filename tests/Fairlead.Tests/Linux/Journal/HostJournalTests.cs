using System.Text;
using Fairlead.Linux.Journal;
using Fairlead.Platform;
using Fairlead.Platform.Journal;

namespace Fairlead.Tests.Linux.Journal;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class HostJournalTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("fairlead-journal-");

    private string Path => System.IO.Path.Combine(directory.FullName, "run", "journal");

    public void Dispose() => directory.Delete(recursive: true);

    [Fact]
    public void Recorded_change_is_pending_until_it_is_undone_and_ids_are_never_reused()
    {
        HostChange first, second;
        using (var journal = HostJournal.Open(Path))
        {
            journal.Pending.ShouldBeEmpty();
            first = journal.Record("hosts-section", "/etc/hosts");
            second = journal.Record("nft-table", "fairlead");
            journal.MarkUndone(first);
            journal.MarkUndone(first);
            journal.Pending.ShouldBe([second]);
        }

        using (var journal = HostJournal.Open(Path))
        {
            journal.Pending.ShouldBe([second]);
            journal.DamagedLines.ShouldBe(0);
            journal.Record("a", "b").Id.ShouldBeGreaterThan(second.Id);
        }
    }

    [Fact]
    public void Subject_may_be_any_text()
    {
        const string Subject = "/tmp/ä b\n+ 9 x\r\t%\0";
        using (var journal = HostJournal.Open(Path))
        {
            journal.Record("kind with space", Subject);
        }

        using var reopened = HostJournal.Open(Path);
        reopened.Pending.ShouldHaveSingleItem().Subject.ShouldBe(Subject);
        reopened.Pending[0].Kind.ShouldBe("kind with space");
    }

    [Fact]
    public void Journal_cut_at_any_byte_has_every_whole_line_and_nothing_else()
    {
        // States after each line: nothing, {1}, {1,2}, {2}, {2,3}.
        long[][] states = [[], [1], [1, 2], [2], [2, 3]];
        var whole = Encoding.ASCII.GetBytes(string.Concat(
            new JournalLine(1, new HostChange(1, "a", "x")).Format(),
            new JournalLine(2, new HostChange(2, "b", "y")).Format(),
            new JournalLine(1, null).Format(),
            new JournalLine(3, new HostChange(3, "c", "z")).Format()));
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        for (var length = 0; length <= whole.Length; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            using var journal = HostJournal.Open(Path);
            var lines = whole.AsSpan(0, length).Count((byte)'\n');
            journal.Pending.Select(change => change.Id).ShouldBe(states[lines], $"cut at {length}");
            journal.DamagedLines.ShouldBe(0);

            // And it goes on working after the cut.
            var next = journal.Record("d", "w");
            journal.Dispose();
            using var reopened = HostJournal.Open(Path);
            reopened.Pending.ShouldContain(next);
        }
    }

    [Fact]
    public void Damaged_line_is_counted_and_the_others_count()
    {
        var lines = Enumerable.Range(1, 3).Select(id => new JournalLine(id, new HostChange(id, "kind", "subject")).Format()).ToArray();
        lines[1] = lines[1].Replace("subject", "subjekt", StringComparison.Ordinal);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        File.WriteAllText(Path, string.Concat(lines) + "garbage\n");
        using var journal = HostJournal.Open(Path);
        journal.Pending.Select(change => change.Id).ShouldBe([1L, 3L]);
        journal.DamagedLines.ShouldBe(2);
    }

    [Fact]
    public void Any_flipped_byte_of_a_line_is_noticed()
    {
        var line = new JournalLine(12, new HostChange(12, "nft-table", "fairlead")).Format().TrimEnd();
        JournalLine.TryParse(line, out _).ShouldBeTrue();
        for (var at = 0; at < line.Length; at++)
        {
            var damaged = line.ToCharArray();
            damaged[at] ^= (char)1;
            JournalLine.TryParse(new string(damaged), out _).ShouldBeFalse($"at {at}");
        }
    }

    [Fact]
    public void Second_opener_is_told_who_has_it()
    {
        using var journal = HostJournal.Open(Path);
        Should.Throw<HostBusyException>(() => HostJournal.Open(Path)).HolderPid.ShouldBe(Environment.ProcessId);
    }

    [Fact]
    public void Journal_does_not_grow_for_ever_and_belongs_to_its_owner_only()
    {
        using var journal = HostJournal.Open(Path);
        var kept = journal.Record("kept", "kept");
        for (var i = 0; i < 40; i++)
        {
            journal.MarkUndone(journal.Record("kind", new string('x', 4000)));
        }

        new FileInfo(Path).Length.ShouldBeLessThan(80_000);
        File.GetUnixFileMode(Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        journal.Dispose();
        using var reopened = HostJournal.Open(Path);
        reopened.Pending.ShouldBe([kept]);
    }
}
