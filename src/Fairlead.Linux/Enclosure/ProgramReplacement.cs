using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using Fairlead.Linux.Native;

namespace Fairlead.Linux.Enclosure;

/// <summary>Another program in the place of this process: it keeps the process id, the terminal, the working directory and the descriptors that stay open.</summary>
public static class ProgramReplacement
{
    private const int MayExecute = 1;
    private const string Shell = "/bin/sh";

    /// <summary>The file that a shell would run for this word: with a slash it is a path, else it is looked for in <paramref name="searchPath"/>.</summary>
    /// <returns>Null when there is none; one that is found but not executable counts only where nothing better is found.</returns>
    public static string? Find(string program, string? searchPath)
    {
        ArgumentNullException.ThrowIfNull(program);
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return File.Exists(program) ? program : null;
        }

        string? found = null;
        foreach (var directory in program.Length == 0 ? [] : (searchPath ?? "/usr/local/bin:/usr/bin:/bin").Split(':'))
        {
            // An empty part is the working directory (environ(7)).
            var path = Path.Combine(directory.Length == 0 ? "." : directory, program);
            if (File.Exists(path))
            {
                if (IsExecutable(path))
                {
                    return path;
                }

                found ??= path;
            }
        }

        return found;
    }

    public static bool IsExecutable(string path) => Libc.Access(path, MayExecute) == 0;

    /// <summary>
    /// Replaces this process. Signals are as the program expects them: none blocked, and SIGPIPE, which .NET ignores, ends it. Returns only by throwing.
    /// </summary>
    /// <param name="arguments">The first one is the program's own name.</param>
    /// <exception cref="LinuxException">The kernel refused; <see cref="LinuxException.Errno"/> says why.</exception>
    public static unsafe void Replace(string path, IReadOnlyList<string> arguments)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(entry => $"{entry.Key}={entry.Value}").ToArray();
        using var argumentStrings = new NativeStrings(arguments);
        using var environmentStrings = new NativeStrings(environment);
        Libc.SetSignal(Libc.SignalPipe, 0);
        var none = stackalloc byte[Libc.SignalSetLength];
        new Span<byte>(none, Libc.SignalSetLength).Clear();
        _ = Libc.SetSignalMask(Libc.SetMask, none, null);
        Libc.Execute(path, argumentStrings.Pointers, environmentStrings.Pointers);
        if (Errno.Last == Errno.NotExecutable)
        {
            // A script without '#!': a shell's, as for execvp(3).
            using var shellStrings = new NativeStrings([Shell, path, .. arguments.Skip(1)]);
            Libc.Execute(Shell, shellStrings.Pointers, environmentStrings.Pointers);
        }

        throw Errno.Failure($"{path} can't be run");
    }

    /// <summary>A null-terminated array of null-terminated strings, as <c>execve</c> takes it.</summary>
    private sealed unsafe class NativeStrings : IDisposable
    {
        private readonly int count;

        public NativeStrings(IReadOnlyList<string> values)
        {
            count = values.Count;
            Pointers = (byte**)NativeMemory.AllocZeroed((nuint)count + 1, (nuint)sizeof(byte*));
            for (var i = 0; i < count; i++)
            {
                var bytes = Encoding.UTF8.GetBytes(values[i]);
                Pointers[i] = (byte*)NativeMemory.AllocZeroed((nuint)bytes.Length + 1);
                bytes.CopyTo(new Span<byte>(Pointers[i], bytes.Length));
            }
        }

        public byte** Pointers { get; }

        public void Dispose()
        {
            for (var i = 0; i < count; i++)
            {
                NativeMemory.Free(Pointers[i]);
            }

            NativeMemory.Free(Pointers);
        }
    }
}
