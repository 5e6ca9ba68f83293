using System.Text;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class ContainerLogTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("sbnode-log-");
    private readonly SettableTime time = new();

    [Fact]
    public async Task Lines_come_back_as_printed_and_an_unfinished_one_stays_unfinished()
    {
        using var log = Open();
        log.Append("stdout", "one\ntw"u8);
        log.Append("stderr", "oops\n"u8);
        log.Append("stdout", "o\nrest"u8);
        log.Complete();

        (await ReadAsync(log, Options())).ShouldBe("one\noops\ntwo\nrest");
        (await ReadAsync(log, Options() with { TailLines = 2 })).ShouldBe("two\nrest");
        (await ReadAsync(log, Options() with { TailLines = 0 })).ShouldBeEmpty();
    }

    [Fact]
    public async Task Time_is_shown_and_selects()
    {
        using var log = Open();
        log.Append("stdout", "old\n"u8);
        time.Now = time.Now.AddSeconds(100);
        log.Append("stdout", "new\n"u8);
        log.Complete();

        (await ReadAsync(log, Options() with { SinceSeconds = 50, Timestamps = true })).ShouldBe("2026-01-01T00:01:40.000000000Z new\n");
    }

    [Fact]
    public async Task Full_file_is_replaced_and_no_line_of_the_last_two_is_lost()
    {
        using var log = Open();
        var line = Encoding.ASCII.GetBytes(new string('x', 16_000) + "\n");
        for (var i = 0; i < 700; i++)
        {
            log.Append("stdout", line);
        }

        log.Complete();

        File.Exists(Path.Combine(directory.FullName, "log.1")).ShouldBeTrue();
        (await ReadAsync(log, Options())).Split('\n').Length.ShouldBe(701);
        directory.EnumerateFiles().Sum(file => file.Length).ShouldBeLessThan(22 << 20);
    }

    [Fact]
    public async Task Follower_gets_what_comes_later_and_ends_with_the_container()
    {
        using var log = Open();
        log.Append("stdout", "first\n"u8);
        var reading = ReadAsync(log, Options() with { Follow = true });
        reading.IsCompleted.ShouldBeFalse();

        log.Append("stdout", "second\n"u8);
        log.Complete();

        (await reading).ShouldBe("first\nsecond\n");
    }

    public void Dispose() => directory.Delete(recursive: true);

    private static LogOptions Options() => new(false, false, null, false, null);

    private ContainerLog Open() => new(Path.Combine(directory.FullName, "log"), time);

    private static async Task<string> ReadAsync(ContainerLog log, LogOptions options)
    {
        using var to = new MemoryStream();
        await log.CopyToAsync(to, options, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString(to.ToArray());
    }

    private sealed class SettableTime : TimeProvider
    {
        internal DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
