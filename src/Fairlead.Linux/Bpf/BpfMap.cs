using System.Text;
using Fairlead.Linux.Native;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Bpf;

internal enum BpfMapType : uint
{
    Hash = 1,
    SocketMap = 15,
}

/// <summary>A BPF map held by its descriptor; it lives as long as that or a program that uses it.</summary>
internal sealed unsafe class BpfMap<TKey, TValue> : IDisposable
    where TKey : unmanaged
    where TValue : unmanaged
{
    /// <summary>Elements for one call: bounds the arrays that are pinned.</summary>
    private const int BatchSize = 4096;

    private readonly SafeFileHandle handle;
    private readonly string name;

    private BpfMap(string name, SafeFileHandle handle) => (this.name, this.handle) = (name, handle);

    public int Descriptor => (int)handle.DangerousGetHandle();

    /// <param name="type">Of the map.</param>
    /// <param name="name">For bpftool; up to 15 of letters, digits and _.</param>
    /// <param name="flags">For example <see cref="BpfMap.NoPreallocation"/>.</param>
    /// <exception cref="Fairlead.Platform.HostException">The kernel refused.</exception>
    public static BpfMap<TKey, TValue> Create(BpfMapType type, string name, uint maxEntries, uint flags = 0)
    {
        var attributes = new Libc.BpfMapCreate
        {
            Type = (uint)type,
            KeySize = (uint)sizeof(TKey),
            ValueSize = (uint)sizeof(TValue),
            MaxEntries = maxEntries,
            Flags = flags,
        };
        Encoding.ASCII.GetBytes(name, new Span<byte>(attributes.Name, 15));
        var created = Libc.BpfOpen(Libc.BpfMapCreateCommand, ref attributes);
        return created.IsInvalid ? throw Errno.Failure($"can't create the BPF map {name}") : new BpfMap<TKey, TValue>(name, created);
    }

    /// <summary>Adds or replaces.</summary>
    public void Set(TKey key, TValue value)
    {
        var attributes = new Libc.BpfMapElement { Map = (uint)Descriptor, Key = (ulong)&key, Value = (ulong)&value };
        if (Libc.Bpf(Libc.BpfMapUpdateCommand, ref attributes) != 0)
        {
            throw Errno.Failure($"can't set an element of the BPF map {name}");
        }
    }

    /// <summary>Adds or replaces all keys with one value. When it throws, the first <paramref name="done"/> keys were taken.</summary>
    public void SetAll(ReadOnlySpan<TKey> keys, TValue value, out int done)
    {
        var values = new TValue[Math.Min(keys.Length, BatchSize)];
        Array.Fill(values, value);
        Batch(Libc.BpfMapUpdateBatchCommand, keys, values, "set", out done);
    }

    /// <summary>Removes keys that are there. When it throws, the first <paramref name="done"/> were removed.</summary>
    public void RemoveAll(ReadOnlySpan<TKey> keys, out int done) => Batch(Libc.BpfMapDeleteBatchCommand, keys, [], "remove", out done);

    public void Dispose() => handle.Dispose();

    private void Batch(int command, ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values, string verb, out int done)
    {
        done = 0;
        fixed (TKey* keyPointer = keys)
        fixed (TValue* valuePointer = values)
        {
            while (done < keys.Length)
            {
                var attributes = new Libc.BpfMapBatch
                {
                    Keys = (ulong)(keyPointer + done),
                    Values = (ulong)valuePointer,
                    Count = (uint)Math.Min(keys.Length - done, BatchSize),
                    Map = (uint)Descriptor,
                };
                if (Libc.Bpf(command, ref attributes) != 0)
                {
                    var failure = Errno.Failure($"can't {verb} elements of the BPF map {name}");

                    // The kernel writes back how many it did, except when it refused the call as a whole.
                    done += attributes.Count < (uint)Math.Min(keys.Length - done, BatchSize) ? (int)attributes.Count : 0;
                    throw failure;
                }

                done += (int)attributes.Count;
            }
        }
    }
}

internal static class BpfMap
{
    /// <summary>BPF_F_NO_PREALLOC: memory for the elements there are, not for the most there may be.</summary>
    public const uint NoPreallocation = 1;
}
