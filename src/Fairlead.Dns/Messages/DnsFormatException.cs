using System.Diagnostics.CodeAnalysis;

namespace Fairlead.Dns.Messages;

/// <summary>Octets that are not a DNS message. Nothing else is thrown for hostile input.</summary>
public sealed class DnsFormatException(string message) : Exception(message)
{
    [DoesNotReturn]
    internal static void Throw(string what) => throw new DnsFormatException(what);
}
