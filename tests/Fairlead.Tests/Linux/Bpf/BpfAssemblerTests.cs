using Fairlead.Linux.Bpf;
using static Fairlead.Linux.Bpf.BpfRegister;

namespace Fairlead.Tests.Linux.Bpf;

public sealed class BpfAssemblerTests
{
    /// <summary>Expected octets as clang's assembler writes them (little-endian).</summary>
    [Fact]
    public void Instructions_are_encoded_as_the_instruction_set_says()
    {
        Octets(new BpfAssembler().Move(R6, R1)).ShouldBe("bf16000000000000");
        Octets(new BpfAssembler().Move(R0, 1)).ShouldBe("b700000001000000");
        Octets(new BpfAssembler().Add(R2, -8)).ShouldBe("07020000f8ffffff");
        Octets(new BpfAssembler().LoadWord(R2, R6, 8)).ShouldBe("6162080000000000");
        Octets(new BpfAssembler().StoreWord(R10, -8, R7)).ShouldBe("637af8ff00000000");
        Octets(new BpfAssembler().StoreWord(R10, -4, 0)).ShouldBe("620afcff00000000");
        Octets(new BpfAssembler().StoreHalf(R10, -4, R8)).ShouldBe("6b8afcff00000000");
        Octets(new BpfAssembler().StoreHalf(R10, -2, 17)).ShouldBe("6a0afeff11000000");
        Octets(new BpfAssembler().LoadMap(R1, 9)).ShouldBe("18110000090000000000000000000000");
        Octets(new BpfAssembler().Call(BpfHelper.SocketAssign)).ShouldBe("850000007c000000");
        Octets(new BpfAssembler().Exit()).ShouldBe("9500000000000000");
    }

    [Fact]
    public void Jumps_count_from_the_next_instruction_both_ways()
    {
        var assembler = new BpfAssembler().Label("start").JumpIfEqual(R0, 0, "end").LoadMap(R1, 1).Jump("start").Label("end").Exit();
        Octets(assembler).ShouldBe("1500030000000000" + "18110000010000000000000000000000" + "0500fcff00000000" + "9500000000000000");
        Octets(new BpfAssembler().Label("self").JumpIfNotEqual(R2, 2, "self")).ShouldBe("5502ffff02000000");
    }

    [Fact]
    public void Jump_to_nowhere_is_an_error() => Should.Throw<InvalidOperationException>(() => new BpfAssembler().Jump("nowhere").Assemble());

    [Fact]
    public void Label_can_be_set_once() => Should.Throw<ArgumentException>(() => new BpfAssembler().Label("a").Label("a"));

    private static string Octets(BpfAssembler assembler) =>
        Convert.ToHexStringLower([.. assembler.Assemble().SelectMany(BitConverter.GetBytes)]);
}
