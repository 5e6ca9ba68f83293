using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux;
using Fairlead.Linux.Namespaces;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Journal;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>A network namespace with nothing but its loopback device, and a host whose state is in a temporary directory.</summary>
internal sealed class LoopbackNamespace : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("fairlead-linux-");
    private readonly NetworkNamespace networkNamespace;

    public LoopbackNamespace()
    {
        networkNamespace = NetworkNamespace.Create($"/run/{directory.Name}");
        Run("ip", "link", "set", "lo", "up").ShouldBe("");
        Host = new LinuxHost(new LinuxHostPaths(System.IO.Path.Combine(directory.FullName, "state"), System.IO.Path.Combine(directory.FullName, "run"), "/dev/null"));
        Journal = Host.OpenJournal();
    }

    public string Path => networkNamespace.Path;

    public LinuxHost Host { get; }

    public IHostJournal Journal { get; }

    public T Inside<T>(Func<T> action) => networkNamespace.Run(action);

    /// <summary>To its end, with all its continuations, on a thread inside.</summary>
    public T Inside<T>(Func<Task<T>> action) => networkNamespace.Run(() => NamespaceThread.Run(action));

    /// <summary>The command's output; it must succeed.</summary>
    public string Run(string program, params string[] arguments)
    {
        using var process = Inside(() => Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false })!);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
        return output;
    }

    public CaptureSelection Open(CaptureWay? way) =>
        Inside(() => Host.OpenCaptureAsync(new CaptureOptions(CaptureOptions.DefaultRange, way), Journal, CancellationToken.None));

    /// <summary>Inside, as the nft program must be started there.</summary>
    public CaptureResult Update(ILoopbackCapture capture, params IEnumerable<CaptureEntry> entries) =>
        Inside(() => capture.UpdateAsync(new CaptureTable(entries, []), CancellationToken.None));

    public Socket Tcp() => Inside(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));

    public Socket Udp() => Inside(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));

    /// <summary>A local program's server that answers each connection with <paramref name="greeting"/>.</summary>
    public Socket Serve(IPEndPoint endPoint, byte greeting)
    {
        var listener = Inside(() => new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
        {
            listener.DualMode = true;
        }

        listener.Bind(endPoint);
        listener.Listen();
        _ = Task.Run(async () =>
        {
            while (true)
            {
                try
                {
                    using var accepted = await listener.AcceptAsync();
                    await accepted.SendAsync(new[] { greeting });
                }
                catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
                {
                    return;
                }
            }
        });
        return listener;
    }

    /// <summary>The first octet that the server at this end point sends.</summary>
    public async Task<byte> GreetingAsync(string address, int port)
    {
        using var client = Tcp();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await client.ConnectAsync(IPAddress.Parse(address), port, timeout.Token);
        var octet = new byte[1];
        (await client.ReceiveAsync(octet, timeout.Token)).ShouldBe(1);
        return octet[0];
    }

    public void Dispose()
    {
        Journal.Dispose();
        networkNamespace.Dispose();
        directory.Delete(recursive: true);
    }
}
