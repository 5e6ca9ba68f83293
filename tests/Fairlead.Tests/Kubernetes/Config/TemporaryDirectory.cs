namespace Fairlead.Tests.Kubernetes.Config;

internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fairlead-k8s-").FullName;

    public string Write(string name, string text)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public string WriteScript(string name, string text)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the plugin of this test is a shell script");
        var path = Write(name, "#!/bin/sh\n" + text);
#pragma warning disable CA1416 // not reached on Windows
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
#pragma warning restore CA1416
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
