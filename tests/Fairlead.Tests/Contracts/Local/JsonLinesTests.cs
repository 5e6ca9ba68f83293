using Fairlead.Contracts.Local;

namespace Fairlead.Tests.Contracts.Local;

public sealed class JsonLinesTests
{
    [Fact]
    public async Task Values_come_back_as_they_were_written()
    {
        using var stream = new MemoryStream();
        CompanionRequest[] requests = [new(1, Dismiss: new Dismissal("line\nbreak")), new(2, Open: new OpenCarrier(new ClusterAccess("/k", null, "n"), "p", 3))];
        foreach (var request in requests)
        {
            await JsonLines.WriteAsync(stream, request, CompanionJson.Default.CompanionRequest, CancellationToken.None);
        }

        stream.Position = 0;
        (await ReadAsync(stream)).ShouldBe(requests);
    }

    [Fact]
    public async Task Line_that_was_cut_off_is_dropped() =>
        (await ReadAsync(new MemoryStream("{\"id\":1}\n{\"id\":"u8.ToArray()))).ShouldBe([new CompanionRequest(1)]);

    [Theory]
    [InlineData("nonsense\n")]
    [InlineData("null\n")]
    [InlineData("{\"id\":\"x\"}\n")]
    [InlineData("{}\n")]
    public async Task Line_that_is_something_else_is_an_error(string text) =>
        await Should.ThrowAsync<InvalidDataException>(() => ReadAsync(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text))));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Line_that_is_too_long_is_an_error_whether_it_ends_or_not(bool ends) =>
        await Should.ThrowAsync<InvalidDataException>(() => ReadAsync(new MemoryStream([.. new byte[2000].Select(_ => (byte)' '), ends ? (byte)'\n' : (byte)' '])));

    private static async Task<List<CompanionRequest>> ReadAsync(Stream stream)
    {
        var all = new List<CompanionRequest>();
        await foreach (var one in JsonLines.ReadAsync(stream, CompanionJson.Default.CompanionRequest, 1000, CancellationToken.None))
        {
            all.Add(one);
        }

        return all;
    }
}
