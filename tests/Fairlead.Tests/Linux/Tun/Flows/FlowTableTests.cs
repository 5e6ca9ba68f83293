using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun.Flows;

public sealed class FlowTableTests
{
    [Fact]
    public void Fifty_thousand_flows_are_found_by_their_ends_and_each_has_a_slot_of_its_own()
    {
        var table = new FlowTable();
        var slots = new HashSet<int>();
        for (var i = 0; i < 50_000; i++)
        {
            slots.Add(table.Add(Key(i), 0)).ShouldBeTrue();
        }

        table.Count.ShouldBe(50_000);
        for (var i = 0; i < 50_000; i++)
        {
            table[table.Find(Key(i))].Key.ShouldBe(Key(i));
        }

        table.Find(Key(50_000)).ShouldBe(-1);
    }

    [Fact]
    public void Full_table_takes_no_more_until_something_closes()
    {
        var table = new FlowTable(4);
        for (var i = 0; i < 4; i++)
        {
            table.Add(Key(i), 0);
        }

        table.Add(Key(9), 0).ShouldBe(-1);
        table.Close(table.Find(Key(2)));
        table.Close(table.Find(Key(1)));
        table.Add(Key(9), 0).ShouldBeGreaterThanOrEqualTo(0);
        table.Find(Key(2)).ShouldBe(-1);
        table.Find(Key(1)).ShouldBeGreaterThanOrEqualTo(0);
        table.Count.ShouldBe(4);
    }

    [Fact]
    public void Slot_is_used_again_last_and_with_another_generation()
    {
        var table = new FlowTable(3);
        var seen = new HashSet<(int, byte)>();
        for (var i = 0; i < 3 * FlowTable.Generations; i++)
        {
            var slot = table.Add(Key(i), 0);
            seen.Add((slot, table[slot].Generation)).ShouldBeTrue();
            table.Remove(slot);
        }

        table.Count.ShouldBe(0);
    }

    [Fact]
    public void Closing_flows_go_in_their_order_whatever_was_removed_between()
    {
        var table = new FlowTable(8);
        for (var i = 0; i < 6; i++)
        {
            table.Close(table.Add(Key(i), i));
        }

        table.Remove(table.Find(Key(0)));
        table.Remove(table.Find(Key(3)));
        table.Remove(table.Find(Key(5)));
        table.RemoveClosing(2);
        table.Count.ShouldBe(1);
        table.Find(Key(4)).ShouldBeGreaterThanOrEqualTo(0);
        table.RemoveClosing(4);
        table.Count.ShouldBe(0);
        table.Close(table.Add(Key(7), 9));
        table.RemoveClosing(9);
        table.Count.ShouldBe(0);
    }

    private static FlowKey Key(int number) => new((UInt128)0xffff_0a00_0001, (UInt128)0xffff_0a60_0000 + (UInt128)(number >> 14), (ushort)(number & 0x3fff), 80);
}
