using System.Runtime.CompilerServices;
using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Administration;

namespace Fairlead;

/// <summary>
/// The parts behind the verbs. Each is made in a method of its own that is never inlined: an assembly is loaded when a method that names one of
/// its types is compiled, and most verbs need none of these.
/// </summary>
internal static class Parts
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ISpaceAdministration Administration() => new Companion.Administration.SpaceAdministration();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IDaemonProcess Daemon() => new DaemonProcess();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ICompanionProcess Companion() => new CompanionProcess();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ISandboxControl Sandbox() => new SandboxControl();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IRunProcess Run() => new RunProcess();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static IContainerDaemon Container() => new ContainerDaemon();
}
