using Fairlead.Sandbox.Images;

namespace Fairlead.Tests.Sandbox.Images;

public sealed class ImageTableTests
{
    private static readonly Dictionary<string, string> Variables = new()
    {
        ["scripts"] = "/s", ["gatewayProgram"] = "fairlead-gateway", ["gatewayDirectory"] = "/g", ["agentDirectory"] = "/a", ["dotnet"] = "/d",
    };

    [Theory]
    [InlineData("host")]
    [InlineData("redis")]
    [InlineData("redis:7-alpine")]
    [InlineData("postgres:15")]
    [InlineData("fairlead/fairlead:dev")]
    public void Known_image_is_found(string name) => ImageTable.Default(Variables).Find(name).ShouldNotBeNull();

    [Theory]
    [InlineData("nginx:1")]
    [InlineData("evil/redis:7")]
    [InlineData("redisx:1")]
    [InlineData("")]
    public void Unknown_image_is_not(string name) => ImageTable.Default(Variables).Find(name).ShouldBeNull();

    [Fact]
    public void Image_whose_program_is_not_on_this_host_is_unknown() => ImageTable.Default(Variables).Find("fairlead/shop:dev").ShouldBeNull();

    [Fact]
    public void Variables_are_filled_in()
    {
        var image = ImageTable.Default(Variables).Find("fairlead/fairlead:dev")!;

        image.Entrypoint.ShouldBe(["/opt/fairlead/fairlead-gateway"]);
        image.Files["/opt/fairlead"].ShouldBe("/g");
    }

    [Fact]
    public void Added_table_is_looked_at_first()
    {
        var table = ImageTable.Parse("""[{"name":"redis:*","entrypoint":["/opt/valkey"]}]""", Variables).Before(ImageTable.Default(Variables));

        table.Find("redis:7")!.Entrypoint.ShouldBe(["/opt/valkey"]);
        table.Find("postgres:15").ShouldNotBeNull();
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[{}]")]
    [InlineData("""[{"name":"a","entrypint":["typo"]}]""")]
    [InlineData("nonsense")]
    public void Bad_table_is_refused(string json) => Should.Throw<ImageTableException>(() => ImageTable.Parse(json, Variables));
}
