using System.Security.Cryptography;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Image;

/// <summary>The image that a cluster gets, as deploy/image/build writes it.</summary>
public sealed class ImageTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("flt-image-");

    [Fact]
    public async Task Image_is_the_same_twice_and_runs_as_nobody_on_a_root_that_it_cannot_write()
    {
        var first = await BuildAsync("first.tar", "--tag", "registry.example/team/fairlead:1");
        var second = await BuildAsync("second.tar", "--tag", "registry.example/team/fairlead:1");
        SHA256.HashData(await File.ReadAllBytesAsync(second)).ShouldBe(SHA256.HashData(await File.ReadAllBytesAsync(first)));

        var image = OciArchive.Read(first);
        image.Name.ShouldBe("registry.example/team/fairlead:1");
        image.Config.GetProperty("User").GetString().ShouldBe("65532:65532");
        var entryPoint = image.Config.GetProperty("Entrypoint")[0].GetString()!;
        var root = _directory.CreateSubdirectory("root").FullName;
        await image.UnpackAsync(root);
        Directory.Exists(Path.Combine(root, "usr/bin")).ShouldBeFalse("there is nothing to run but Fairlead");

        // Outside a cluster it ends with its own words: everything that it loads is there.
        var gateway = await RunAsync(root, entryPoint);
        gateway.ExitCode.ShouldBe(1);
        (gateway.Output + gateway.Error).ShouldContain("KUBERNETES_SERVICE_HOST");
        (await RunAsync(root, "/opt/shop/fairlead-shop")).ShouldFail(2).Error.ShouldContain("usage: fairlead-shop");
    }

    [Fact]
    public async Task Container_file_on_a_base_gives_the_same_digest_twice()
    {
        Assert.SkipWhen((await Shell.RunAsync(["bash", "-c", "command -v buildah"])).ExitCode != 0, "buildah is not installed");
        // Any image with a C library and OpenSSL does as a base, and this one is at hand without a network.
        var storage = Path.Combine(_directory.FullName, "storage.conf");
        await File.WriteAllTextAsync(storage, $"""
            [storage]
            driver = "vfs"
            runroot = "{_directory.FullName}/run"
            graphroot = "{_directory.FullName}/storage"
            """);
        var basis = await BuildAsync("base.tar");
        var arguments = new[] { "--base", $"oci-archive:{basis}", "--tool", "buildah" };
        var first = OciArchive.Read(await BuildAsync("first.tar", arguments, storage));
        var second = OciArchive.Read(await BuildAsync("second.tar", arguments, storage));

        second.ManifestDigest.ShouldBe(first.ManifestDigest);
        first.Config.GetProperty("User").GetString().ShouldBe("65532:65532");
        first.Config.GetProperty("Entrypoint")[0].GetString().ShouldBe("/opt/fairlead/fairlead-gateway");
    }

    [Theory]
    [InlineData("--tool", "kaniko")]
    [InlineData("--output")]
    [InlineData("--base", "")]
    public async Task Wrong_arguments_are_refused(params string[] arguments) =>
        (await Shell.RunAsync([Path.Combine(Programs.Root, "deploy/image/build"), .. arguments])).ShouldFail(2).Error.ShouldStartWith("usage:");

    public void Dispose() => _directory.Delete(recursive: true);

    private Task<string> BuildAsync(string output, params string[] arguments) => BuildAsync(output, arguments, storage: null);

    private async Task<string> BuildAsync(string output, string[] arguments, string? storage)
    {
        var file = Path.Combine(_directory.FullName, output);
        var environment = storage is null ? null : new Dictionary<string, string> { ["CONTAINERS_STORAGE_CONF"] = storage };
        (await Shell.RunAsync([Path.Combine(Programs.Root, "deploy/image/build"), "--output", file, .. arguments], limit: TimeSpan.FromMinutes(5), environment: environment)).ShouldSucceed();
        return file;
    }

    /// <summary>As a runtime would with the manifests' securityContext: read-only root, user 65532, /proc.</summary>
    private static Task<Outcome> RunAsync(string root, string program) => Shell.RunAsync(["unshare", "--mount", "--net", "bash", "-euc", $"""
        mkdir -p {root}/proc
        mount --bind {root} {root}
        mount -t proc proc {root}/proc
        mount -o remount,ro,bind {root}
        exec env -i PATH=/usr/sbin:/usr/bin DOTNET_ROOT=/usr/share/dotnet DOTNET_EnableDiagnostics=0 chroot --userspec=65532:65532 {root} {program}
        """]);
}
