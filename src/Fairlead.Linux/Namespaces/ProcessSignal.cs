using System.Runtime.InteropServices;

namespace Fairlead.Linux.Namespaces;

/// <summary>kill(2).</summary>
public static class ProcessSignal
{
    public const int Kill = 9;
    public const int Terminate = 15;

    private const int NoSuchProcess = 3;

    /// <summary>Sends a signal; false when there is no such process any more.</summary>
    public static bool Send(int pid, int signal)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        return NamespaceCalls.Kill(pid, signal) == 0
            || (Marshal.GetLastPInvokeError() == NoSuchProcess ? false : throw NamespaceCalls.Failure($"cannot signal process {pid}"));
    }
}
