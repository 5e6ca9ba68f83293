using System.Net;
using Fairlead.Daemon.Names;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Daemon.Names;

public sealed class AddressBookTests
{
    private static readonly DateOnly Day = new(2026, 1, 1);
    private static readonly HashSet<IPAddress> Nobody = [];

    [Fact]
    public void Assign_gives_the_same_address_in_every_process()
    {
        var first = Assign(Book(), Key("frontend"));
        Assign(Book(), Key("redis"), Key("frontend"), Key("orders"))[Key("frontend")].ShouldBe(first[Key("frontend")]);
        Book().Range.Contains(first[Key("frontend")]).ShouldBeTrue();
    }

    [Fact]
    public void Assign_keeps_an_address_through_absence_and_restart()
    {
        var book = Book();
        var address = Assign(book, Key("frontend"))[Key("frontend")];
        Assign(book, Key("redis"));
        var restarted = Book();
        restarted.Load(book.Of("s"));
        Assign(restarted, Key("other"), Key("frontend"))[Key("frontend")].ShouldBe(address);
    }

    [Fact]
    public void Assign_stays_clear_of_addresses_that_others_use()
    {
        var wish = Assign(Book(), Key("frontend"))[Key("frontend")];
        var book = Book();
        var got = book.Assign([Key("frontend")], new HashSet<IPAddress> { wish }, Day)[Key("frontend")];
        got.ShouldNotBe(wish);
        book.Assign([Key("frontend")], new HashSet<IPAddress> { got }, Day)[Key("frontend")].ShouldBe(got);
    }

    [Fact]
    public void Assign_full_range_recycles_the_one_unused_for_longest()
    {
        var book = new AddressBook(IPNetwork.Parse("127.72.5.0/24"));
        for (var i = 0; i < 253; i++)
        {
            book.Assign([Key($"s{i}")], Nobody, Day.AddDays(i));
        }

        book.Assign([Key("s0")], Nobody, Day.AddDays(300));
        var freed = book.Find(Key("s1"));
        book.Assign([Key("new")], Nobody, Day.AddDays(301))[Key("new")].ShouldBe(freed);
        book.Find(Key("s1")).ShouldBeNull();
        book.Find(Key("s0")).ShouldNotBeNull();
    }

    [Fact]
    public void Assign_more_than_fit_leaves_out_the_rest_and_moves_nobody()
    {
        var book = new AddressBook(IPNetwork.Parse("127.72.5.0/24"));
        var keys = Enumerable.Range(0, 260).Select(i => Key($"s{i}")).ToArray();
        var given = Assign(book, keys);
        given.Count.ShouldBe(253);
        Assign(book, keys).ShouldBe(given, ignoreOrder: true);
    }

    [Fact]
    public void Load_drops_what_is_outside_the_range_or_doubled()
    {
        var book = Book();
        book.Load([
            new(Key("a"), IPAddress.Parse("127.90.0.1"), Day),
            new(Key("b"), IPAddress.Parse("127.72.1.1"), Day),
            new(Key("c"), IPAddress.Parse("127.72.1.1"), Day),
            new(Key("d"), IPAddress.Parse("127.72.1.0"), Day),
            new(Key("e"), IPAddress.Parse("::1"), Day),
        ]);
        book.Of("s").Select(assignment => assignment.Key.Host).ShouldBe(["b"]);
    }

    [Fact]
    public void Keep_frees_the_addresses_of_spaces_that_are_left()
    {
        var book = Book();
        Assign(book, Key("a"), new AddressKey("t", "shop", "a"));
        book.Keep(new HashSet<string> { "t" });
        book.Find(Key("a")).ShouldBeNull();
        book.Find(new AddressKey("t", "shop", "a")).ShouldNotBeNull();
    }

    [Fact]
    public void Addresses_are_unique_inside_the_range_and_never_move() => Check.One(
        Config.QuickThrowOnFailure,
        Prop.ForAll(Gen.Choose(0, 300).ListOf().ListOf().ToArbitrary(), bursts =>
        {
            var book = new AddressBook(IPNetwork.Parse("127.72.0.0/22"));
            var seen = new Dictionary<AddressKey, IPAddress>();
            foreach (var burst in bursts)
            {
                foreach (var (key, address) in Assign(book, [.. burst.Distinct().Select(i => Key($"s{i}"))]))
                {
                    (seen.TryAdd(key, address) || seen[key].Equals(address)).ShouldBeTrue();
                    book.Range.Contains(address).ShouldBeTrue();
                    address.GetAddressBytes()[3].ShouldBeInRange((byte)1, (byte)254);
                }
            }

            seen.Values.Distinct().Count().ShouldBe(seen.Count);
        }));

    private static AddressBook Book() => new(IPNetwork.Parse("127.72.0.0/14"));

    private static AddressKey Key(string host) => new("s", "shop", host);

    private static IReadOnlyDictionary<AddressKey, IPAddress> Assign(AddressBook book, params AddressKey[] keys) => book.Assign(keys, Nobody, Day);
}
