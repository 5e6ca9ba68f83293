using System.Text;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class AtomicDirectoryTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("sbnode-volume-");

    [Fact]
    public void Files_change_together_and_those_that_went_are_gone()
    {
        Write(("a", "1"), ("sub/b", "2")).ShouldBeTrue();
        Write(("a", "1"), ("sub/b", "2")).ShouldBeFalse();
        Write(("a", "3")).ShouldBeTrue();

        File.ReadAllText(Path.Combine(directory.FullName, "a")).ShouldBe("3");
        directory.EnumerateFileSystemInfos().Select(e => e.Name).Where(name => !name.StartsWith("..", StringComparison.Ordinal)).ShouldBe(["a"]);
        directory.EnumerateDirectories().Count(d => d.LinkTarget is null).ShouldBe(1, "the old generation is removed");
    }

    [Theory]
    [InlineData("../out")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../out")]
    [InlineData("..data")]
    public void Name_that_leaves_the_volume_is_refused(string name) => Should.Throw<ContainerConfigException>(() => Write((name, "x")));

    public void Dispose() => directory.Delete(recursive: true);

    private bool Write(params (string Name, string Text)[] files) => AtomicDirectory.Write(
        directory.FullName, files.ToDictionary(f => f.Name, f => new VolumeFile(Encoding.UTF8.GetBytes(f.Text), UnixFileMode.UserRead | UnixFileMode.GroupRead)));
}
