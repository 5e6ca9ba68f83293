using System.Runtime.ExceptionServices;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Namespaces;

/// <summary>
/// A network namespace held by an open file. Sockets and child processes made inside <see cref="Run{T}"/> belong to it for good and
/// may then be used from any thread. Owns its handle; a namespace made by <see cref="Create"/> also owns the bind mount at its path.
/// </summary>
public sealed class NetworkNamespace : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly bool ownsMount;
    private int disposed;

    private NetworkNamespace(string path, SafeFileHandle handle, bool ownsMount)
    {
        Path = path;
        this.handle = handle;
        this.ownsMount = ownsMount;
    }

    /// <summary>The file that names the namespace, usable by <c>nsenter --net=</c> and <c>ip link set netns</c>.</summary>
    public string Path { get; }

    /// <summary>Makes an empty namespace and binds it to <paramref name="path"/>, which is created. Needs CAP_SYS_ADMIN.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static NetworkNamespace Create(string path)
    {
        File.WriteAllBytes(path, []);
        OnThread(() =>
        {
            if (NamespaceCalls.Unshare(NamespaceCalls.CloneNewNet) != 0)
            {
                throw NamespaceCalls.Failure("cannot create a network namespace");
            }

            return NamespaceCalls.Mount("/proc/thread-self/ns/net", path, null, NamespaceCalls.MsBind, null) == 0
                ? true
                : throw NamespaceCalls.Failure($"cannot bind a network namespace to {path}");
        });
        return new NetworkNamespace(path, File.OpenHandle(path), ownsMount: true);
    }

    /// <summary>
    /// Runs <paramref name="action"/> inside a new namespace that has no name and ends with the last thing of it that is open. Needs CAP_SYS_ADMIN.
    /// </summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public static T RunInNew<T>(Func<T> action) => OnThread(() =>
        NamespaceCalls.Unshare(NamespaceCalls.CloneNewNet) == 0 ? action() : throw NamespaceCalls.Failure("cannot create a network namespace"));

    /// <summary>Opens an existing namespace file, such as <c>/proc/self/ns/net</c>.</summary>
    public static NetworkNamespace Open(string path) => new(path, File.OpenHandle(path), ownsMount: false);

    /// <summary>Runs <paramref name="action"/> to its end on a thread of its own inside the namespace. It must not await.</summary>
    public T Run<T>(Func<T> action) => OnThread(() =>
        NamespaceCalls.SetNamespace(handle, NamespaceCalls.CloneNewNet) == 0
            ? action()
            : throw NamespaceCalls.Failure($"cannot enter the network namespace {Path}"));

    /// <summary>Sets a sysctl of this namespace, for example <c>net/ipv4/ip_forward</c>.</summary>
    public void SetParameter(string name, string value) => Run(() =>
    {
        File.WriteAllText("/proc/sys/" + name, value);
        return true;
    });

    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        handle.Dispose();
        if (ownsMount)
        {
            if (NamespaceCalls.Unmount(Path, NamespaceCalls.MntDetach) != 0)
            {
                throw NamespaceCalls.Failure($"cannot unmount {Path}");
            }

            File.Delete(Path);
        }
    }

    /// <summary>A thread that has changed its namespace must never go back to a pool: it ends with the action.</summary>
    private static T OnThread<T>(Func<T> action)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = action();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        { IsBackground = true, Name = "netns" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
