using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Fairlead.Gateway.Cluster;

/// <summary>Addresses as they are written: only the forms that Kubernetes accepts (no octal, no hexadecimal, no missing parts), and no scope.</summary>
internal static class AddressText
{
    public static bool TryParse(string text, [NotNullWhen(true)] out IPAddress? address) =>
        IPAddress.TryParse(text, out address) && address is { AddressFamily: AddressFamily.InterNetworkV6 }
            ? !text.Contains('%', StringComparison.Ordinal)
            : address?.ToString() == text;
}
