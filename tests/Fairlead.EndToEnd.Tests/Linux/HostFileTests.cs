using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using Fairlead.Linux;
using Fairlead.Platform;
using Fairlead.Platform.Files;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>System files where file systems make it hard. Mounts below a temporary directory; needs root.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class HostFileTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("fairlead-linux-");
    private readonly Stack<string> mounts = [];
    private readonly string hosts;

    public HostFileTests()
    {
        directory.CreateSubdirectory("etc");
        hosts = Path.Combine(directory.FullName, "etc", "hosts");
        File.WriteAllText(hosts, "old\n");
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Run("chattr", "-f", "-i", hosts);
        while (mounts.TryPop(out var mount))
        {
            Run("umount", mount).ShouldBe(0);
        }

        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task Bind_mounted_file_is_written_in_place_and_stays_mounted()
    {
        var outside = Path.Combine(directory.FullName, "outside");
        File.WriteAllText(outside, "outside\n");
        Mount(hosts, "--bind", outside);
        using var file = await OpenAsync();
        (await file.UpdateAsync(Append("new\n"), Cancel)).ShouldBeTrue();
        File.ReadAllText(outside).ShouldBe("outside\nnew\n");
        File.ReadAllText(hosts).ShouldBe("outside\nnew\n");
        await file.UpdateAsync(_ => "x"u8.ToArray(), Cancel);
        File.ReadAllText(outside).ShouldBe("x");
        Directory.GetFileSystemEntries(Path.GetDirectoryName(hosts)!).ShouldBe([hosts]);
    }

    [Fact]
    public async Task Watch_sees_writes_to_a_bind_mounted_file_from_the_other_side()
    {
        var outside = Path.Combine(directory.FullName, "outside");
        File.WriteAllText(outside, "outside\n");
        Mount(hosts, "--bind", outside);
        using var file = await OpenAsync();
        await using var changes = file.WatchAsync(Cancel).GetAsyncEnumerator(Cancel);
        var next = changes.MoveNextAsync().AsTask();
        File.AppendAllText(outside, "theirs\n");
        (await next.WaitAsync(TimeSpan.FromSeconds(5), Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task File_in_a_read_only_directory_is_written_in_place()
    {
        // As a container has it: everything read-only but this file.
        var outside = Path.Combine(directory.FullName, "outside");
        File.WriteAllText(outside, "outside\n");
        Mount(Path.GetDirectoryName(hosts)!, "--bind", Path.GetDirectoryName(hosts)!);
        Mount(hosts, "--bind", outside);
        Run("mount", "-o", "remount,bind,ro", Path.GetDirectoryName(hosts)!).ShouldBe(0);
        using var file = await OpenAsync();
        await file.UpdateAsync(Append("new\n"), Cancel);
        File.ReadAllText(outside).ShouldBe("outside\nnew\n");
    }

    [Fact]
    public async Task Owner_and_mode_survive()
    {
        Run("chown", "65534:100", hosts).ShouldBe(0);
        Run("chmod", "4640", hosts).ShouldBe(0);
        var before = Describe();
        before.ShouldBe("65534 100 4640\n");
        using var file = await OpenAsync();
        await file.UpdateAsync(Append("new\n"), Cancel);
        Describe().ShouldBe(before);
    }

    [Fact]
    public async Task Read_only_file_system_is_a_clear_error()
    {
        Mount(Path.GetDirectoryName(hosts)!, "--bind", Path.GetDirectoryName(hosts)!);
        Run("mount", "-o", "remount,bind,ro", Path.GetDirectoryName(hosts)!).ShouldBe(0);
        using var file = await OpenAsync();
        (await Should.ThrowAsync<HostFileException>(() => file.UpdateAsync(Append("new\n"), Cancel))).Problem.ShouldBe(HostFileProblem.ReadOnly);
        File.ReadAllText(hosts).ShouldBe("old\n");
    }

    [Fact]
    public async Task Immutable_file_is_a_clear_error_with_the_command_that_helps()
    {
        if (Run("chattr", "-f", "+i", hosts) != 0)
        {
            Assert.Skip("this file system has no immutable files");
        }

        using var file = await OpenAsync();
        var exception = await Should.ThrowAsync<HostFileException>(() => file.UpdateAsync(Append("new\n"), Cancel));
        exception.Problem.ShouldBe(HostFileProblem.ReadOnly);
        exception.Hint.ShouldBe($"chattr -i {hosts}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Full_disk_is_a_clear_error_and_the_file_is_as_it_was(bool inPlace)
    {
        var disk = directory.CreateSubdirectory("disk").FullName;
        Mount(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs");
        var path = Path.Combine(disk, "hosts");
        File.WriteAllText(path, "old\n");
        if (inPlace)
        {
            Run("ln", path, Path.Combine(disk, "link")).ShouldBe(0);
        }

        using var file = await OpenAsync(path);
        (await Should.ThrowAsync<HostFileException>(() => file.UpdateAsync(_ => new byte[1 << 20], Cancel))).Problem.ShouldBe(HostFileProblem.NoSpace);
        File.ReadAllText(path).ShouldBe("old\n");
        Directory.GetFiles(disk, ".*").ShouldBeEmpty();
        (await file.UpdateAsync(Append("new\n"), Cancel)).ShouldBeTrue();
    }

    private static Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> Append(string text) => content => (byte[])[.. content.Span, .. Encoding.UTF8.GetBytes(text)];

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode;
    }

    private string Describe()
    {
        using var process = Process.Start(new ProcessStartInfo("stat", ["-c", "%u %g %a", hosts])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        return process.StandardOutput.ReadToEnd();
    }

    private void Mount(string where, params string[] arguments)
    {
        Run("mount", [.. arguments, where]).ShouldBe(0);
        mounts.Push(where);
    }

    private Task<IHostFile> OpenAsync(string? path = null) =>
        new LinuxHost(new LinuxHostPaths(Path.Combine(directory.FullName, "state"), Path.Combine(directory.FullName, "run"))).OpenFileAsync(path ?? hosts, Cancel);
}
