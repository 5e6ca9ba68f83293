using System.Globalization;
using System.Runtime.InteropServices;
using Fairlead.Linux.Native;
using Fairlead.Platform;

namespace Fairlead.Linux.Limits;

/// <summary>
/// How many files this process may have open (RLIMIT_NOFILE, getrlimit(2)); what it starts inherits both. The runtime itself raises
/// the soft limit of every .NET process to the hard one; the hard one, which login sessions and service managers set low, takes CAP_SYS_RESOURCE.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct OpenFileLimit(ulong Soft, ulong Hard)
{
    /// <summary>
    /// What container runtimes give. Never more of our own accord: programs that close every descriptor up to the limit one by one
    /// when they start need a tenth of a second for this many, and minutes for the thousand millions that a kernel may permit.
    /// </summary>
    public const ulong Usual = 1_048_576;

    public static unsafe OpenFileLimit Current
    {
        get
        {
            Libc.ResourceLimit limit;
            return Libc.Limit(0, Libc.LimitOpenFiles, null, &limit) == 0 ? new(limit.Soft, limit.Hard) : throw Errno.Failure("can't read the limit on open files");
        }
    }

    /// <summary>Raises both to <see cref="Usual"/>, or as far as this process may. Never lowers.</summary>
    /// <returns>What holds now.</returns>
    /// <exception cref="HostException">The kernel refuses for another reason than a missing right.</exception>
    public static OpenFileLimit Raise()
    {
        var current = Current;
        return Apply(current.RaisedTo(Permitted()), new(current.Hard, current.Hard));
    }

    /// <summary>Sets both to <see cref="Usual"/>, down as well as up, or as near to it as this process may.</summary>
    /// <returns>What holds now.</returns>
    /// <exception cref="HostException">The kernel refuses for another reason than a missing right.</exception>
    public static OpenFileLimit SetUsual()
    {
        var permitted = Permitted();
        var reachable = Math.Min(Current.Hard, permitted);
        return Apply(new(permitted, permitted), new(reachable, reachable));
    }

    internal OpenFileLimit RaisedTo(ulong files) => new(Math.Max(Soft, files), Math.Max(Hard, files));

    /// <summary>Even root can't set more than fs.nr_open (proc(5)).</summary>
    private static ulong Permitted() => Math.Min(Usual, ulong.Parse(File.ReadAllText("/proc/sys/fs/nr_open"), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture));

    private static unsafe OpenFileLimit Apply(OpenFileLimit wanted, OpenFileLimit unprivileged)
    {
        var current = Current;
        foreach (var limit in new[] { wanted, unprivileged })
        {
            var replacement = new Libc.ResourceLimit { Soft = limit.Soft, Hard = limit.Hard };
            if (limit == current || Libc.Limit(0, Libc.LimitOpenFiles, &replacement, null) == 0)
            {
                return limit;
            }

            if (Errno.Last != Errno.PermissionDenied)
            {
                throw Errno.Failure("can't set the limit on open files");
            }
        }

        return current;
    }
}
