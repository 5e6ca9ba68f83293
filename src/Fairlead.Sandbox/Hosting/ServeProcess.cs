using System.Globalization;

namespace Fairlead.Sandbox.Hosting;

/// <summary>Which process serves a sandbox: its pid as the host sees it and when it started, so that a reused pid is not mistaken for it.</summary>
internal sealed record ServeProcess(int Pid, long StartTime)
{
    /// <summary>
    /// The calling process. Must be read before it mounts a /proc of its own: the host's one still shows it under the host's pid.
    /// </summary>
    internal static ServeProcess Self()
    {
        var pid = int.Parse(new FileInfo("/proc/self").LinkTarget ?? "", CultureInfo.InvariantCulture);
        return new ServeProcess(pid, StartTimeOf(pid) ?? throw new InvalidOperationException("this process is not in /proc"));
    }

    internal static ServeProcess? Read(string file)
    {
        try
        {
            return File.ReadAllText(file).Split(' ') is [var pid, var start]
                && int.TryParse(pid, CultureInfo.InvariantCulture, out var p) && long.TryParse(start, CultureInfo.InvariantCulture, out var s) && p > 1
                ? new ServeProcess(p, s)
                : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    internal void Write(string file)
    {
        File.WriteAllText(file + ".new", $"{Pid} {StartTime}");
        File.Move(file + ".new", file, overwrite: true);
    }

    internal bool IsAlive => StartTimeOf(Pid) == StartTime;

    /// <summary>In clock ticks since boot (proc_pid_stat(5), field 22); null when there is no such process, or only its remains.</summary>
    private static long? StartTimeOf(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            // The program's name, in parentheses, may hold spaces and parentheses.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or IOException)
        {
            return null;
        }
    }
}
