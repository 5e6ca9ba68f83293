using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace Fairlead.Tests.Kubernetes.Streams;

/// <summary>The far end of a port-forward over SPDY/3.1: frames by hand, as a node writes them.</summary>
internal sealed class MockSpdyNode(Stream connection) : IDisposable
{
    private const int HeaderSize = 8, SynStreamFixed = 10;

    private readonly MemoryStream _headers = new();
    private ZLibStream? _inflater;
    private long _read;

    /// <summary>An API server that upgrades every POST and hands it to the test once both streams are open.</summary>
    public static Task<MockApi> StartAsync(Func<MockSpdyNode, Task> handler) => MockApi.StartAsync(async (context, _) =>
    {
        context.Request.Method.ShouldBe("POST");
        context.Request.Headers.Upgrade.ToString().ShouldBe("SPDY/3.1");
        context.Request.Headers["X-Stream-Protocol-Version"].ToString().ShouldBe("portforward.k8s.io");
        context.Response.Headers.Upgrade = "SPDY/3.1";
        context.Response.Headers["X-Stream-Protocol-Version"] = "portforward.k8s.io";
        await using var upgraded = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        using var node = new MockSpdyNode(upgraded);
        await handler(node);
    });

    public void Dispose()
    {
        _inflater?.Dispose();
        _headers.Dispose();
    }

    /// <summary>The next frame: its first four bytes, its flags and what it carries.</summary>
    public async Task<(uint Word, byte Flags, byte[] Payload)> ReceiveAsync()
    {
        var header = new byte[HeaderSize];
        await connection.ReadExactlyAsync(header);
        var payload = new byte[BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4)) & 0xffffff];
        await connection.ReadExactlyAsync(payload);
        return (BinaryPrimitives.ReadUInt32BigEndian(header), header[4], payload);
    }

    /// <summary>A SYN_STREAM: its stream, whether the sender is done with it, and its headers.</summary>
    public async Task<(uint Stream, bool Fin, string Headers)> ReceiveOpenAsync()
    {
        var (word, flags, payload) = await ReceiveAsync();
        word.ShouldBe(0x8003_0001);
        _headers.Position = _headers.Length;
        _headers.Write(payload.AsSpan(SynStreamFixed));
        _headers.Position = _read;
        _inflater ??= new ZLibStream(_headers, CompressionMode.Decompress, leaveOpen: true);
        var pairs = Enumerable.Range(0, ReadNumber(_inflater)).Select(_ => $"{ReadText(_inflater)}={ReadText(_inflater)}").ToList();
        _read = _headers.Position;
        return (BinaryPrimitives.ReadUInt32BigEndian(payload), (flags & 1) != 0, string.Join(' ', pairs));
    }

    public async Task ReceiveOpensAsync()
    {
        await ReceiveOpenAsync();
        await ReceiveOpenAsync();
    }

    public Task SendDataAsync(uint stream, string text, bool fin = false) => SendDataAsync(stream, Encoding.UTF8.GetBytes(text), fin);

    public Task SendDataAsync(uint stream, byte[] data, bool fin = false) => SendAsync(stream, fin ? (byte)1 : (byte)0, data);

    public Task SendControlAsync(ushort type, params byte[] payload) => SendAsync(0x8003_0000 | type, 0, payload);

    public async Task SendAsync(uint word, byte flags, byte[] payload)
    {
        var frame = new byte[HeaderSize + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, word);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), ((uint)flags << 24) | (uint)payload.Length);
        payload.CopyTo(frame, HeaderSize);
        await connection.WriteAsync(frame);
        await connection.FlushAsync();
    }

    private static int ReadNumber(Stream stream)
    {
        var number = new byte[4];
        stream.ReadExactly(number);
        return BinaryPrimitives.ReadInt32BigEndian(number);
    }

    private static string ReadText(Stream stream)
    {
        var text = new byte[ReadNumber(stream)];
        stream.ReadExactly(text);
        return Encoding.ASCII.GetString(text);
    }
}
