using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fairlead.Linux.Capture;
using Fairlead.Linux.Namespaces;
using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Tun;

/// <summary>
/// What a <see cref="TunCapture"/> serves, made but not served: the device that programs' packets come from, and the listeners of the kernel's TCP with the device that leads to
/// them. All of it is in four descriptors, so that it can be made inside another network namespace by another process and handed over (SCM_RIGHTS, unix(7)). Owns them.
/// </summary>
/// <remarks>
/// The listeners have a network namespace of their own, which has no name and ends with the last descriptor: there no firewall sees what was rewritten, no local program can take a
/// port, and no address can collide. Where none may be made (a container without CAP_SYS_ADMIN) the second device is beside the first.
/// </remarks>
public sealed class TunParts : IDisposable
{
    private const string KernelDeviceName = "fairlead-in%d";
    private const int KernelPrefix = 24;
    private const int KernelPrefix6 = 120;
    private static readonly IPAddress KernelAddress = IPAddress.Parse("246.255.73.1");
    private static readonly IPAddress KernelAddress6 = IPAddress.Parse("fd46:6169:726c:6562::1");

    private TunParts(TunDevice device, TunFile programs, TunFile kernel, Socket listener, Socket? listener6)
    {
        Device = device;
        Programs = programs;
        Kernel = kernel;
        Listener = listener;
        Listener6 = listener6;
    }

    public TunDevice Device { get; }

    /// <summary>For handing over, in the order that <see cref="FromHandles"/> takes; 3 of them where there is no IPv6.</summary>
    public IReadOnlyList<int> Handles =>
    [
        .. new SafeHandle?[] { Programs.Handle, Kernel.Handle, Listener.SafeHandle, Listener6?.SafeHandle }.OfType<SafeHandle>().Select(handle => (int)handle.DangerousGetHandle()),
    ];

    internal TunFile Programs { get; }

    internal TunFile Kernel { get; }

    internal Socket Listener { get; }

    internal Socket? Listener6 { get; }

    /// <summary>In the network namespace of the calling thread.</summary>
    /// <exception cref="HostException">The host can't or may not.</exception>
    public static TunParts Create(TunOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var undo = new DisposeStack();
        try
        {
            var programs = undo.Push(TunFile.Create(options.Name, out var name));
            var (index, hasV6) = TunLink.SetUp(name, options.Mtu, options.Address, 32, options.Address6, 128);
            var (kernel, listener, listener6) = CreateKernelSide(options.Mtu, hasV6, undo);
            undo.Keep();
            return new TunParts(new TunDevice(name, index, options.Mtu, options.Address, hasV6 ? options.Address6 : null), programs, kernel, listener, listener6);
        }
        catch (SocketException e)
        {
            throw new HostException($"The listeners of the device can't be opened: {e.Message}.", e);
        }
    }

    /// <summary>Takes over what another process made.</summary>
    /// <param name="device">As that process told.</param>
    /// <param name="handles">As of <see cref="Handles"/>; they belong to the result.</param>
    public static TunParts FromHandles(TunDevice device, IReadOnlyList<int> handles)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(handles);
        static TunFile File(int descriptor) => new(new SafeFileHandle(descriptor, ownsHandle: true));
        static Socket Listener(int descriptor) => new(new SafeSocketHandle(descriptor, ownsHandle: true));
        return new TunParts(device, File(handles[0]), File(handles[1]), Listener(handles[2]), handles.Count > 3 ? Listener(handles[3]) : null);
    }

    /// <summary>Takes everything over and begins to capture.</summary>
    public ITunCapture Serve() => new TunCapture(this, TimeProvider.System);

    public void Dispose()
    {
        Programs.Dispose();
        Kernel.Dispose();
        Listener.Dispose();
        Listener6?.Dispose();
    }

    internal static KernelEnd End(Socket listener)
    {
        var end = (IPEndPoint)listener.LocalEndPoint!;
        return new KernelEnd(Ip.FromAddress(end.Address), (ushort)end.Port);
    }

    private static (TunFile File, Socket Listener, Socket? Listener6) CreateKernelSide(int mtu, bool wantsV6, DisposeStack undo)
    {
        (TunFile, Socket, Socket?) Make()
        {
            var file = undo.Push(TunFile.Create(KernelDeviceName, out var name));
            var (_, hasV6) = TunLink.SetUp(name, mtu, KernelAddress, KernelPrefix, KernelAddress6, KernelPrefix6);
            return (file, undo.Push(CaptureListener.Open(KernelAddress)), wantsV6 && hasV6 ? undo.Push(CaptureListener.Open(KernelAddress6)) : null);
        }

        try
        {
            return NetworkNamespace.RunInNew(Make);
        }
        catch (IOException)
        {
            return Make();
        }
    }
}
