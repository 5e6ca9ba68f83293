using Fairlead.Linux.Native;
using Fairlead.Platform;

namespace Fairlead.Linux.Enclosure;

/// <summary>The last step inside private namespaces: the command, as the user and with nothing that the user hasn't.</summary>
public static class EnclosedProgram
{
    /// <summary>
    /// Gives up the capabilities that making the namespaces gave, then replaces this process. The bounding set stays: without it programs whose file has a
    /// capability (ping) couldn't start at all, and what they get counts in these namespaces only. Returns only by throwing.
    /// </summary>
    /// <exception cref="HostException">The kernel refuses, or the program can't be run.</exception>
    public static void Become(string path, IReadOnlyList<string> arguments)
    {
        if (Libc.ProcessControl(Libc.CapabilityAmbient, Libc.CapabilityAmbientClearAll, 0, 0, 0) != 0 || Libc.DropCapabilities() != 0)
        {
            throw Errno.Failure("can't give up capabilities");
        }

        ProgramReplacement.Replace(path, arguments);
    }
}
