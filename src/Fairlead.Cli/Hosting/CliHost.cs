using Fairlead.Contracts.Administration;

namespace Fairlead.Cli.Hosting;

/// <summary>
/// What the executable lends to the verbs. The parts are factories because most verbs need none of them, and a verb that doesn't need a part
/// must not load its assemblies: that is what keeps a start under 100 ms.
/// </summary>
public sealed class CliHost
{
    public required ITerminal Terminal { get; init; }

    public required Func<ISpaceAdministration> Administration { get; init; }

    public required Func<IDaemonProcess> Daemon { get; init; }

    public required Func<ICompanionProcess> Companion { get; init; }

    public required Func<ISandboxControl> Sandbox { get; init; }

    public required Func<IRunProcess> Run { get; init; }

    public required Func<IContainerDaemon> Container { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Reads an environment variable; null when it isn't set.</summary>
    public required Func<string, string?> Environment { get; init; }
}

/// <summary>Standard streams as the verbs see them.</summary>
public interface ITerminal
{
    TextReader In { get; }

    TextWriter Out { get; }

    TextWriter Error { get; }

    /// <summary>Standard output is a terminal: live views and colours make sense there.</summary>
    bool OutIsTerminal { get; }

    bool ErrorIsTerminal { get; }

    bool InIsTerminal { get; }

    /// <summary>Columns of the terminal; null when neither output is one, or when it doesn't tell.</summary>
    int? Width { get; }
}

/// <summary>The standard streams of this process.</summary>
public sealed class ProcessTerminal : ITerminal
{
    public TextReader In => Console.In;

    public TextWriter Out => Console.Out;

    public TextWriter Error => Console.Error;

    public bool OutIsTerminal => !Console.IsOutputRedirected;

    public bool ErrorIsTerminal => !Console.IsErrorRedirected;

    public bool InIsTerminal => !Console.IsInputRedirected;

    public int? Width => (OutIsTerminal || ErrorIsTerminal) && Console.WindowWidth is > 0 and var width ? width : null;
}
