using System.Net;
using Fairlead.Daemon.Plan;

namespace Fairlead.Tests.Daemon.Plan;

public sealed class AddressTableTests
{
    private static readonly Prefix Block = Prefix.Parse("192.0.2.0/28");

    [Fact]
    public void Addresses_are_handed_out_one_by_one_and_kept()
    {
        var table = new AddressTable(Block, []);
        table.ToLocal(Real(1)).ShouldBe(IPAddress.Parse("192.0.2.1"));
        table.ToLocal(Real(2)).ShouldBe(IPAddress.Parse("192.0.2.2"));
        table.ToLocal(Real(1)).ShouldBe(IPAddress.Parse("192.0.2.1"));
        table.ToReal(IPAddress.Parse("192.0.2.2")).ShouldBe(Real(2));
        table.ToReal(IPAddress.Parse("192.0.2.3")).ShouldBeNull();
        table.Version.ShouldBe(2);
    }

    [Fact]
    public void When_all_are_in_use_the_one_used_least_recently_is_handed_on()
    {
        var table = new AddressTable(Block, []);
        var locals = Enumerable.Range(1, 15).Select(i => table.ToLocal(Real(i))).ToList();
        locals.Distinct().Count().ShouldBe(15);
        table.IsNearlyFull.ShouldBeTrue();
        table.ToReal(locals[0]).ShouldBe(Real(1), "which is a use");
        table.ToLocal(Real(16)).ShouldBe(locals[1]);
        table.ToReal(locals[1]).ShouldBe(Real(16));
        table.ToReal(locals[0]).ShouldBe(Real(1));
    }

    [Fact]
    public void Assignments_survive_a_restart_in_their_order()
    {
        var table = new AddressTable(Block, []);
        table.ToLocal(Real(1));
        table.ToLocal(Real(2));
        table.ToLocal(Real(1));
        var next = new AddressTable(Block, table.Assignments);
        next.Assignments.Select(pair => pair.Real).ShouldBe([Real(2), Real(1)]);
        next.ToLocal(Real(2)).ShouldBe(IPAddress.Parse("192.0.2.2"));
        next.ToLocal(Real(3)).ShouldBe(IPAddress.Parse("192.0.2.3"));
    }

    [Fact]
    public void What_was_stored_and_fits_no_more_is_left_out()
    {
        var table = new AddressTable(Block, [(Real(1), IPAddress.Parse("198.51.100.1")), (Real(2), IPAddress.Parse("192.0.2.0")), (Real(3), IPAddress.Parse("192.0.2.5")), (Real(4), IPAddress.Parse("192.0.2.5"))]);
        table.Assignments.ShouldBe([(Real(3), IPAddress.Parse("192.0.2.5"))]);
    }

    [Fact]
    public void Translation_uses_the_table_for_its_subnets_only()
    {
        var table = new AddressTable(Block, []);
        var translation = new AddressTranslation([], [IPNetwork.Parse("10.0.0.0/16")], table);
        translation.ToLocal(Real(1)).ShouldBe(IPAddress.Parse("192.0.2.1"));
        translation.ToReal(IPAddress.Parse("192.0.2.1")).ShouldBe(Real(1));
        translation.ToReal(IPAddress.Parse("192.0.2.9")).ShouldBeNull();
        translation.ToLocal(IPAddress.Parse("10.1.0.1")).ShouldBe(IPAddress.Parse("10.1.0.1"));
    }

    private static IPAddress Real(int number) => new([10, 0, 0, (byte)number]);
}
