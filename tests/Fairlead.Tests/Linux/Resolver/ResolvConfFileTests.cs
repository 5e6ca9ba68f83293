using System.Net;
using Fairlead.Linux;
using Fairlead.Linux.Resolver;
using Fairlead.Platform.Resolver;

namespace Fairlead.Tests.Linux.Resolver;

public sealed class ResolvConfFileTests : IDisposable
{
    private static readonly ResolverClaim Claim = new(IPAddress.Parse("127.72.0.53"), null, [], []);
    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;
    private readonly ResolvConfFile file;

    public ResolvConfFileTests()
    {
        Path = System.IO.Path.Combine(directory, "resolv.conf");
        file = new ResolvConfFile(Path, new LinuxHostPaths(directory + "/state", directory + "/run", directory + "/hosts", Path));
    }

    private string Path { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Fact]
    public async Task File_is_taken_and_brought_back()
    {
        await File.WriteAllTextAsync(Path, "nameserver 10.0.0.1\n", Cancel);
        (await file.ClaimAsync(Claim, Cancel)).ShouldBeTrue();
        (await file.ClaimAsync(Claim, Cancel)).ShouldBeFalse();
        ResolvConf.Parse(await File.ReadAllBytesAsync(Path, Cancel)).Servers.ShouldBe([Claim.Server]);
        (await file.ReadAsync(Cancel)).Meaning.Servers.ShouldBe([IPAddress.Parse("10.0.0.1")]);
        (await file.RestoreAsync(Cancel)).ShouldBeTrue();
        (await File.ReadAllTextAsync(Path, Cancel)).ShouldBe("nameserver 10.0.0.1\n");
        (await file.RestoreAsync(Cancel)).ShouldBeFalse();
    }

    /// <summary>Whoever writes the link's target goes on doing so, and is listened to.</summary>
    [Fact]
    public async Task Link_is_replaced_its_target_stays_and_the_link_comes_back()
    {
        var target = System.IO.Path.Combine(directory, "real.conf");
        await File.WriteAllTextAsync(target, "nameserver 10.0.0.1\n", Cancel);
        File.CreateSymbolicLink(Path, "real.conf");
        (await file.ClaimAsync(Claim, Cancel)).ShouldBeTrue();
        new FileInfo(Path).LinkTarget.ShouldBeNull();
        await File.WriteAllTextAsync(target, "nameserver 10.0.0.2\n", Cancel);
        var (original, meaning, _) = await file.ReadAsync(Cancel);
        meaning.Servers.ShouldBe([IPAddress.Parse("10.0.0.2")]);
        file.FollowedTarget(original).ShouldBe(target);
        (await file.RestoreAsync(Cancel)).ShouldBeTrue();
        new FileInfo(Path).LinkTarget.ShouldBe("real.conf");
        (await File.ReadAllTextAsync(target, Cancel)).ShouldBe("nameserver 10.0.0.2\n");
    }

    [Fact]
    public async Task Missing_file_is_missing_again()
    {
        (await file.ReadAsync(Cancel)).Original.Kind.ShouldBe(OriginalKind.Missing);
        (await file.ClaimAsync(Claim, Cancel)).ShouldBeTrue();
        (await file.RestoreAsync(Cancel)).ShouldBeTrue();
        File.Exists(Path).ShouldBeFalse();
    }

    [Fact]
    public async Task Rewritten_file_is_what_comes_back()
    {
        await File.WriteAllTextAsync(Path, "nameserver 10.0.0.1\n", Cancel);
        await file.ClaimAsync(Claim, Cancel);
        var ours = await File.ReadAllTextAsync(Path, Cancel);
        await File.WriteAllTextAsync(Path, "nameserver 10.8.0.1\n", Cancel);
        (await file.ReadAsync(Cancel)).Meaning.Servers.ShouldBe([IPAddress.Parse("10.8.0.1")]);
        await file.ClaimAsync(Claim, Cancel);
        await file.RestoreAsync(Cancel);
        (await File.ReadAllTextAsync(Path, Cancel)).ShouldBe("nameserver 10.8.0.1\n");

        // A VPN that brings back the copy that it found, which was ours, after we are gone.
        await File.WriteAllTextAsync(Path, ours, Cancel);
        (await file.RestoreAsync(Cancel)).ShouldBeTrue();
        (await File.ReadAllTextAsync(Path, Cancel)).ShouldBe("nameserver 10.0.0.1\n");
    }
}
