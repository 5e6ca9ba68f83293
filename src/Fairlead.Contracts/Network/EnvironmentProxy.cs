using System.Net;

namespace Fairlead.Contracts.Network;

/// <summary>
/// The proxy that HTTPS_PROXY, or else ALL_PROXY, names, except for what NO_PROXY lists. .NET's own reading of NO_PROXY knows neither networks nor
/// <c>*</c>, which lists for clusters are made of and other programs understand.
/// </summary>
public sealed class EnvironmentProxy : IWebProxy
{
    private static readonly Lazy<EnvironmentProxy> OfThisProcess = new(() => new EnvironmentProxy(Environment.GetEnvironmentVariable));

    private readonly Uri? _proxy;
    private readonly Bypass[] _bypasses;

    /// <param name="read">An environment variable, or null; each is asked for in upper and in lower case.</param>
    /// <exception cref="FormatException">The proxy is no URL.</exception>
    public EnvironmentProxy(Func<string, string?> read)
    {
        _proxy = (Variable("HTTPS_PROXY") ?? Variable("ALL_PROXY")) is { } text ? ParseProxy(text) : null;
        _bypasses = [.. (Variable("NO_PROXY") ?? "").Split([',', ' '], StringSplitOptions.RemoveEmptyEntries).Select(Bypass.Parse)];
        if (_proxy is { UserInfo.Length: > 0 })
        {
            var parts = _proxy.UserInfo.Split(':', 2);
            Credentials = new NetworkCredential(Uri.UnescapeDataString(parts[0]), Uri.UnescapeDataString(parts.ElementAtOrDefault(1) ?? ""));
        }

        string? Variable(string name) => (read(name) ?? read(name.ToLowerInvariant())) is { Length: > 0 } value ? value.Trim() : null;
    }

    /// <exception cref="FormatException">HTTPS_PROXY is no URL.</exception>
    public static EnvironmentProxy Current => OfThisProcess.Value;

    public ICredentials? Credentials { get; set; }

    public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : _proxy;

    public bool IsBypassed(Uri host) => _proxy is null || Array.Exists(_bypasses, bypass => bypass.Covers(host.IdnHost, host.Port));

    private static Uri ParseProxy(string text) =>
        Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text, UriKind.Absolute, out var proxy) && proxy.Host.Length > 0
            ? proxy
            : throw new FormatException("HTTPS_PROXY is not the URL of a proxy, such as http://proxy.example.com:3128");

    /// <summary>One entry of NO_PROXY.</summary>
    /// <param name="Name">A host's name, with all names below it; empty for everything; null for a network.</param>
    /// <param name="Network">An address is a network of one.</param>
    private readonly record struct Bypass(string? Name, IPNetwork Network, int? Port)
    {
        public static Bypass Parse(string text)
        {
            if (text == "*")
            {
                return new Bypass("", default, null);
            }

            if (NetworkOf(text) is { } network)
            {
                return new Bypass(null, network, null);
            }

            if (IPAddress.TryParse(text, out var only))
            {
                return new Bypass(null, NetworkOf(only), null);
            }

            int? port = null;
            if (text.LastIndexOf(':') is var colon and > 0 && ushort.TryParse(text.AsSpan(colon + 1), out var number))
            {
                (text, port) = (text[..colon], number);
            }

            return IPAddress.TryParse(text.Trim('[', ']'), out var address)
                ? new Bypass(null, NetworkOf(address), port)
                : new Bypass(text.TrimStart('*', '.'), default, port);
        }

        public bool Covers(string host, int port)
        {
            if (Port is { } only && only != port)
            {
                return false;
            }

            if (Name is null)
            {
                return IPAddress.TryParse(host.Trim('[', ']'), out var address) && Network.Contains(address);
            }

            return Name.Length == 0 || host.Equals(Name, StringComparison.OrdinalIgnoreCase) || host.EndsWith("." + Name, StringComparison.OrdinalIgnoreCase);
        }

        /// <summary>A network, as other programs read it: what is set beyond the prefix (<c>10.96.0.1/12</c>) doesn't count. Null when it is none.</summary>
        private static IPNetwork? NetworkOf(string text)
        {
            var slash = text.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0 || !IPAddress.TryParse(text.AsSpan(0, slash), out var address) || !byte.TryParse(text.AsSpan(slash + 1), out var prefix))
            {
                return null;
            }

            var bytes = address.GetAddressBytes();
            if (prefix > bytes.Length * 8)
            {
                return null;
            }

            for (var i = 0; i < bytes.Length; i++)
            {
                var kept = Math.Clamp(prefix - (i * 8), 0, 8);
                bytes[i] &= (byte)(0xff << (8 - kept));
            }

            return new IPNetwork(new IPAddress(bytes), prefix);
        }

        private static IPNetwork NetworkOf(IPAddress address) => new(address, address.GetAddressBytes().Length * 8);
    }
}
