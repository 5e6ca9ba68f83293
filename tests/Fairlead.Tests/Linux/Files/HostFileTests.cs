using System.Text;
using Fairlead.Linux.Files;
using Fairlead.Linux.Native;
using Fairlead.Platform;

namespace Fairlead.Tests.Linux.Files;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class HostFileTests : IDisposable
{
    /// <summary>Not in /tmp: a tmpfs of older kernels has no extended attributes.</summary>
    private readonly DirectoryInfo directory = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, $"files-{Guid.NewGuid():N}"));

    private string Hosts => Path.Combine(directory.FullName, "etc", "hosts");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public HostFileTests()
    {
        directory.CreateSubdirectory("etc");
        File.WriteAllText(Hosts, "old\n");
    }

    public void Dispose() => directory.Delete(recursive: true);

    [Fact]
    public async Task Update_replaces_the_file_and_keeps_its_mode()
    {
        File.SetUnixFileMode(Hosts, (UnixFileMode)0b110_100_000);
        using var file = await OpenAsync();
        (await file.UpdateAsync(Append("new\n"), Cancel)).ShouldBeTrue();
        File.ReadAllText(Hosts).ShouldBe("old\nnew\n");
        File.GetUnixFileMode(Hosts).ShouldBe((UnixFileMode)0b110_100_000);
        Directory.GetFiles(Path.GetDirectoryName(Hosts)!).ShouldBe([Hosts]);
        Encoding.UTF8.GetString((await file.ReadAsync(Cancel)).Span).ShouldBe("old\nnew\n");
    }

    [Fact]
    public async Task Update_to_the_same_content_writes_nothing()
    {
        using var file = await OpenAsync();
        var before = File.GetLastWriteTimeUtc(Hosts);
        (await file.UpdateAsync(content => content, Cancel)).ShouldBeFalse();
        File.GetLastWriteTimeUtc(Hosts).ShouldBe(before);
    }

    [Fact]
    public async Task Readers_never_see_a_part()
    {
        using var file = await OpenAsync();
        using var reader = File.OpenRead(Hosts);
        await file.UpdateAsync(_ => new byte[100_000], Cancel);
        reader.Length.ShouldBe(4);
    }

    [Fact]
    public async Task Symlink_stays_and_its_target_changes()
    {
        var target = Path.Combine(directory.FullName, "real");
        File.Move(Hosts, target);
        File.CreateSymbolicLink(Path.Combine(directory.FullName, "middle"), "real");
        File.CreateSymbolicLink(Hosts, "../middle");
        using var file = await OpenAsync();
        await file.UpdateAsync(Append("new\n"), Cancel);
        new FileInfo(Hosts).LinkTarget.ShouldBe("../middle");
        File.ReadAllText(target).ShouldBe("old\nnew\n");
    }

    [Fact]
    public async Task Extended_attributes_survive()
    {
        using (var old = File.OpenHandle(Hosts, FileMode.Open, FileAccess.ReadWrite))
        {
            Libc.SetAttribute(old, "user.note", "kept"u8, 4, 0).ShouldBe(0);
            Libc.SetAttribute(old, "user.empty", [], 0, 0).ShouldBe(0);
        }

        using var file = await OpenAsync();
        await file.UpdateAsync(Append("new\n"), Cancel);
        using var replaced = File.OpenHandle(Hosts);
        var value = new byte[10];
        value[..(int)Libc.GetAttribute(replaced, "user.note", value, 10)].ShouldBe("kept"u8.ToArray());
        Libc.GetAttribute(replaced, "user.empty", value, 10).ShouldBe(0);
    }

    [Fact]
    public async Task Hard_link_stays_one_file()
    {
        var other = Path.Combine(directory.FullName, "other");
        using (var link = System.Diagnostics.Process.Start("ln", [Hosts, other]))
        {
            await link.WaitForExitAsync(Cancel);
        }

        using var file = await OpenAsync();
        await file.UpdateAsync(Append("new\n"), Cancel);
        File.ReadAllText(other).ShouldBe("old\nnew\n");
        await file.UpdateAsync(_ => "x"u8.ToArray(), Cancel);
        File.ReadAllText(other).ShouldBe("x");
        Directory.GetFiles(Path.Combine(directory.FullName, "state", "files")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Change_of_another_program_between_read_and_write_is_kept()
    {
        using var file = await OpenAsync();
        var calls = 0;
        await file.UpdateAsync(
            content =>
            {
                if (++calls == 1)
                {
                    File.AppendAllText(Hosts, "theirs\n");
                }

                return Append("ours\n")(content);
            },
            Cancel);
        calls.ShouldBe(2);
        File.ReadAllText(Hosts).ShouldBe("old\ntheirs\nours\n");
    }

    [Fact]
    public async Task File_that_never_rests_is_given_up_with_an_error()
    {
        using var file = await OpenAsync();
        var exception = await Should.ThrowAsync<HostFileException>(() => file.UpdateAsync(
            content =>
            {
                File.AppendAllText(Hosts, "theirs\n");
                return Append("ours\n")(content);
            },
            Cancel));
        exception.Problem.ShouldBe(HostFileProblem.Contended);
        File.ReadAllText(Hosts).ShouldNotContain("ours");
    }

    [Fact]
    public async Task Two_openers_take_turns()
    {
        using var first = await OpenAsync();
        using var second = await OpenAsync();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => (i % 2 == 0 ? first : second).UpdateAsync(Append($"{i}\n"), Cancel)));
        File.ReadAllLines(Hosts).Length.ShouldBe(21);
    }

    [Fact]
    public async Task Missing_file_is_a_clear_error()
    {
        File.Delete(Hosts);
        using var file = await OpenAsync();
        (await Should.ThrowAsync<HostFileException>(() => file.ReadAsync(Cancel))).Problem.ShouldBe(HostFileProblem.Missing);
        (await Should.ThrowAsync<HostFileException>(() => file.UpdateAsync(Append("x"), Cancel))).Problem.ShouldBe(HostFileProblem.Missing);
    }

    [Fact]
    public async Task Directory_pipe_and_circle_of_links_are_no_files()
    {
        File.Delete(Hosts);
        using var file = await OpenAsync();
        Directory.CreateDirectory(Hosts);
        (await Should.ThrowAsync<HostFileException>(() => file.ReadAsync(Cancel))).Problem.ShouldBe(HostFileProblem.WrongKind);
        Directory.Delete(Hosts);
        using (var pipe = System.Diagnostics.Process.Start("mkfifo", [Hosts]))
        {
            await pipe.WaitForExitAsync(Cancel);
        }

        (await Should.ThrowAsync<HostFileException>(() => file.ReadAsync(Cancel))).Problem.ShouldBe(HostFileProblem.WrongKind);
        File.Delete(Hosts);
        File.CreateSymbolicLink(Hosts, Hosts);
        (await Should.ThrowAsync<HostFileException>(() => file.ReadAsync(Cancel))).Problem.ShouldBe(HostFileProblem.WrongKind);
    }

    [Fact]
    public async Task File_of_any_size_up_to_the_bound_is_edited_and_beyond_it_refused()
    {
        var large = new byte[10 << 20];
        large.AsSpan().Fill((byte)'x');
        File.WriteAllBytes(Hosts, large);
        using var file = await OpenAsync();
        (await file.UpdateAsync(Append("end\n"), Cancel)).ShouldBeTrue();
        new FileInfo(Hosts).Length.ShouldBe(large.Length + 4);
        using (var stream = File.OpenWrite(Hosts))
        {
            stream.SetLength(65L << 20);
        }

        (await Should.ThrowAsync<HostFileException>(() => file.ReadAsync(Cancel))).Problem.ShouldBe(HostFileProblem.TooLarge);
    }

    [Fact]
    public async Task Edit_that_throws_changes_nothing_and_frees_the_lock()
    {
        using var file = await OpenAsync();
        await Should.ThrowAsync<InvalidOperationException>(() => file.UpdateAsync(_ => throw new InvalidOperationException(), Cancel));
        (await file.UpdateAsync(Append("new\n"), Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task What_a_killed_replace_left_is_replaced()
    {
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(Hosts)!, ".hosts.fairlead"), "half");
        using var file = await OpenAsync();
        await file.UpdateAsync(Append("new\n"), Cancel);
        Directory.GetFiles(Path.GetDirectoryName(Hosts)!).ShouldBe([Hosts]);
    }

    [Theory]
    [InlineData("new con\nlonger old content\n", "new content that is longer than the old one, by far\n")]
    [InlineData("new content that is longer than the old o", "new content that is longer than the old one, by far\n")]
    [InlineData("a longer old content\n", "a longer old content\n")]
    [InlineData("edited by hand\n", "edited by hand\n")]
    public async Task Write_in_place_that_a_kill_cut_is_finished_by_the_next_open(string found, string expected)
    {
        // The first case: 12 octets of the new content over the old one.
        var old = found.StartsWith("new con\n", StringComparison.Ordinal) ? "a longer\nlonger old content\n" : "a longer old content\n";
        var current = found.StartsWith("new con\n", StringComparison.Ordinal) ? string.Concat(expected.AsSpan(0, 9), old.AsSpan(9)) : found;
        File.WriteAllText(Hosts, current);
        var files = directory.CreateSubdirectory("state/files").FullName;
        var record = Path.Combine(files, Uri.EscapeDataString(Hosts) + ".write-ahead");
        File.WriteAllBytes(record, new WriteAhead(Encoding.ASCII.GetBytes(old), "new content that is longer than the old one, by far\n"u8.ToArray()).Format());
        File.WriteAllText(record + ".target", Hosts);
        using var file = await OpenAsync();
        File.ReadAllText(Hosts).ShouldBe(expected);
        File.Exists(record).ShouldBeFalse();
        var rescued = Path.Combine(files, Uri.EscapeDataString(Hosts) + ".before-crash");
        File.Exists(rescued).ShouldBe(found.StartsWith("edited", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Watch_tells_of_every_kind_of_change()
    {
        using var file = await OpenAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var target = Path.Combine(directory.FullName, "elsewhere");
        File.WriteAllText(target, "x");
        await using var changes = file.WatchAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var next = changes.MoveNextAsync().AsTask();
        foreach (var change in new Action[]
        {
            () => File.AppendAllText(Hosts, "in place\n"),
            () => File.Move(CreateTemporary(), Hosts, overwrite: true),
            () => File.AppendAllText(Hosts, "in place again\n"),
            () => File.Delete(Hosts),
            () => File.WriteAllText(Hosts, "made again\n"),
            () => { File.Delete(Hosts); File.CreateSymbolicLink(Hosts, target); },
            () => File.AppendAllText(target, "behind the link"),
        })
        {
            next = await QuietAsync(changes, next);
            change();
            (await next.WaitAsync(Limit, Cancel)).ShouldBeTrue();
            next = changes.MoveNextAsync().AsTask();
        }

        next = await QuietAsync(changes, next);
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(Hosts)!, "passwd"), "not ours");
        await Should.ThrowAsync<TimeoutException>(() => next.WaitAsync(TimeSpan.FromMilliseconds(50), Cancel));
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(next);
    }

    /// <summary>Fetches what earlier changes still cause.</summary>
    private static async Task<Task<bool>> QuietAsync(IAsyncEnumerator<Fairlead.Platform.Files.HostFileChanged> changes, Task<bool> next)
    {
        while (await Task.WhenAny(next, Task.Delay(30, Cancel)) == next)
        {
            next = changes.MoveNextAsync().AsTask();
        }

        return next;
    }

    private static Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> Append(string text) => content => (byte[])[.. content.Span, .. Encoding.UTF8.GetBytes(text)];

    private string CreateTemporary()
    {
        var path = Path.Combine(directory.FullName, "temporary");
        File.WriteAllText(path, "replaced\n");
        return path;
    }

    private Task<HostFile> OpenAsync() =>
        HostFile.OpenAsync(Hosts, Path.Combine(directory.FullName, "state"), Path.Combine(directory.FullName, "run"), Cancel);
}
