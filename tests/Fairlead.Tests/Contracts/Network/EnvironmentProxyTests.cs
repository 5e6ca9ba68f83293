using System.Net;
using Fairlead.Contracts.Network;

namespace Fairlead.Tests.Contracts.Network;

public sealed class EnvironmentProxyTests
{
    [Theory]
    [InlineData("http://proxy:3128", "http://proxy:3128/")]
    [InlineData("proxy:3128", "http://proxy:3128/")]
    [InlineData(" https://proxy ", "https://proxy/")]
    public void Proxy_is_read_with_or_without_a_scheme(string text, string expected)
    {
        var proxy = Of(("HTTPS_PROXY", text));
        proxy.GetProxy(new Uri("https://gateway:443")).ShouldBe(new Uri(expected));
        proxy.Credentials.ShouldBeNull();
    }

    [Fact]
    public void Credentials_are_unescaped()
    {
        var proxy = Of(("https_proxy", "http://ali:open%3Asesame@proxy:3128"));
        var credential = proxy.Credentials!.GetCredential(new Uri("http://proxy:3128"), "Basic")!;
        (credential.UserName, credential.Password).ShouldBe(("ali", "open:sesame"));
    }

    [Fact]
    public void Without_a_proxy_everything_is_bypassed()
    {
        var proxy = Of(("HTTP_PROXY", "http://proxy:3128"), ("HTTPS_PROXY", ""));
        proxy.IsBypassed(new Uri("https://gateway")).ShouldBeTrue();
        proxy.GetProxy(new Uri("https://gateway")).ShouldBeNull();
    }

    [Theory]
    [InlineData("http://")]
    [InlineData("http://a b")]
    public void Nonsense_is_an_error_that_names_the_variable(string text) =>
        Should.Throw<FormatException>(() => Of(("HTTPS_PROXY", text))).Message.ShouldContain("HTTPS_PROXY");

    [Theory]
    [InlineData("*", "gateway.example.com", true)]
    [InlineData("example.com", "gateway.example.com", true)]
    [InlineData(".example.com", "GATEWAY.Example.com", true)]
    [InlineData("*.example.com", "gateway.example.com", true)]
    [InlineData("example.com", "badexample.com", false)]
    [InlineData("example.com", "example.com", true)]
    [InlineData("localhost, 10.0.0.0/8 ,.svc", "10.1.2.3", true)]
    [InlineData("10.0.0.0/8", "11.1.2.3", false)]
    [InlineData("10.96.0.1/12", "10.111.255.255", true)]
    [InlineData("10.96.0.1/12", "10.112.0.0", false)]
    [InlineData("192.0.2.7/0", "203.0.113.1", true)]
    [InlineData("fd00:1::1/16", "[fd00:ffff::1]", true)]
    [InlineData("10.0.0.0/8", "10.example.com", false)]
    [InlineData("192.0.2.7", "192.0.2.7", true)]
    [InlineData("192.0.2.7:30443", "192.0.2.7", true)]
    [InlineData("192.0.2.7:443", "192.0.2.7", false)]
    [InlineData("gateway.example.com:30443", "gateway.example.com", true)]
    [InlineData("gateway.example.com:443", "gateway.example.com", false)]
    [InlineData("fd00::/8", "[fd00::1]", true)]
    [InlineData("[fd00::1]:30443", "[fd00::1]", true)]
    [InlineData("", "gateway.example.com", false)]
    [InlineData("10.0.0.0/99,300.1.1.1/8,:,", "gateway.example.com", false)]
    public void No_proxy_covers_names_networks_and_ports(string list, string host, bool bypassed) =>
        Of(("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", list)).IsBypassed(new UriBuilder("https", host, 30443).Uri).ShouldBe(bypassed);

    private static EnvironmentProxy Of(params (string Name, string Value)[] variables) =>
        new(name => variables.FirstOrDefault(variable => variable.Name == name).Value);
}
