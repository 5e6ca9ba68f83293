using Fairlead.Linux.Enclosure;

namespace Fairlead.Tests.Linux.Enclosure;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ProgramReplacementTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Fact]
    public void Word_is_looked_for_as_a_shell_does()
    {
        var first = Make("first/tool", executable: false);
        var second = Make("second/tool", executable: true);

        ProgramReplacement.Find("tool", $"{directory}/none:{directory}/first:{directory}/second").ShouldBe(second);
        ProgramReplacement.Find("tool", $"{directory}/first").ShouldBe(first);
        ProgramReplacement.Find(second, null).ShouldBe(second);
        ProgramReplacement.Find("tool", $"{directory}/none").ShouldBeNull();
        ProgramReplacement.Find("", $"{directory}/second").ShouldBeNull();
    }

    private string Make(string name, bool executable)
    {
        var path = Path.Combine(directory, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "");
        File.SetUnixFileMode(path, executable ? UnixFileMode.UserRead | UnixFileMode.UserExecute : UnixFileMode.UserRead);
        return path;
    }
}
