namespace Fairlead.Linux.Bpf;

/// <summary>R0: results. R1 to R5: arguments, lost by a call. R6 to R9: kept. R10: the frame, read only.</summary>
internal enum BpfRegister : byte
{
    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10,
}

/// <summary>Helper functions by their numbers in linux/bpf.h.</summary>
internal enum BpfHelper
{
    MapLookupElement = 1,
    SocketRelease = 86,
    SocketAssign = 124,
}

/// <summary>Assembles eBPF instructions (kernel document bpf/standardization/instruction-set.rst): 8 octets each, jumps by label, little-endian hosts.</summary>
internal sealed class BpfAssembler
{
    /// <summary>Fields that an instruction doesn't use are zero.</summary>
    private const BpfRegister None = BpfRegister.R0;

    /// <summary>BPF_PSEUDO_MAP_FD in the source field: the constant is a descriptor, which the loader replaces by the map's address.</summary>
    private const BpfRegister MapDescriptor = BpfRegister.R1;

    private readonly List<ulong> code = [];
    private readonly Dictionary<string, int> labels = [];
    private readonly List<(int At, string Label)> jumps = [];

    /// <summary>Where jumps to <paramref name="name"/> go: the next instruction.</summary>
    public BpfAssembler Label(string name)
    {
        labels.Add(name, code.Count);
        return this;
    }

    public BpfAssembler Move(BpfRegister to, BpfRegister from) => Emit(0xbf, to, from, 0, 0);

    public BpfAssembler Move(BpfRegister to, int value) => Emit(0xb7, to, None, 0, value);

    public BpfAssembler Add(BpfRegister to, int value) => Emit(0x07, to, None, 0, value);

    /// <summary>to = *(u32 *)(from + offset)</summary>
    public BpfAssembler LoadWord(BpfRegister to, BpfRegister from, short offset) => Emit(0x61, to, from, offset, 0);

    /// <summary>*(u32 *)(to + offset) = from</summary>
    public BpfAssembler StoreWord(BpfRegister to, short offset, BpfRegister from) => Emit(0x63, to, from, offset, 0);

    /// <summary>*(u32 *)(to + offset) = value</summary>
    public BpfAssembler StoreWord(BpfRegister to, short offset, int value) => Emit(0x62, to, None, offset, value);

    /// <summary>*(u16 *)(to + offset) = from</summary>
    public BpfAssembler StoreHalf(BpfRegister to, short offset, BpfRegister from) => Emit(0x6b, to, from, offset, 0);

    /// <summary>*(u16 *)(to + offset) = value</summary>
    public BpfAssembler StoreHalf(BpfRegister to, short offset, int value) => Emit(0x6a, to, None, offset, value);

    /// <summary>to = the map, by its descriptor; takes two slots.</summary>
    public BpfAssembler LoadMap(BpfRegister to, int descriptor) => Emit(0x18, to, MapDescriptor, 0, descriptor).Emit(0, None, None, 0, 0);

    public BpfAssembler Jump(string label) => EmitJump(0x05, None, 0, label);

    public BpfAssembler JumpIfEqual(BpfRegister register, int value, string label) => EmitJump(0x15, register, value, label);

    public BpfAssembler JumpIfNotEqual(BpfRegister register, int value, string label) => EmitJump(0x55, register, value, label);

    public BpfAssembler Call(BpfHelper helper) => Emit(0x85, None, None, 0, (int)helper);

    public BpfAssembler Exit() => Emit(0x95, None, None, 0, 0);

    /// <exception cref="InvalidOperationException">A jump has no label, or is too far.</exception>
    public ulong[] Assemble()
    {
        var assembled = code.ToArray();
        foreach (var (at, label) in jumps)
        {
            if (!labels.TryGetValue(label, out var target))
            {
                throw new InvalidOperationException($"Jump to '{label}', which is nowhere.");
            }

            assembled[at] |= (ulong)(ushort)checked((short)(target - at - 1)) << 16;
        }

        return assembled;
    }

    private BpfAssembler EmitJump(byte operation, BpfRegister register, int value, string label)
    {
        jumps.Add((code.Count, label));
        return Emit(operation, register, None, 0, value);
    }

    private BpfAssembler Emit(byte operation, BpfRegister destination, BpfRegister source, short offset, int immediate)
    {
        code.Add(operation | (ulong)destination << 8 | (ulong)source << 12 | (ulong)(ushort)offset << 16 | (ulong)(uint)immediate << 32);
        return this;
    }
}
