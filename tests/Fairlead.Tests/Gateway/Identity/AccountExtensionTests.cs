using System.Globalization;
using Fairlead.Gateway.Identity;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Gateway.Identity;

public sealed class AccountExtensionTests
{
    /// <summary>Seen on Kubernetes 1.26: 422, "x509: malformed extension OID field".</summary>
    [Fact]
    public void Identifier_has_no_arc_that_an_API_server_cannot_read()
    {
        var extension = AccountExtension.Make(new KubernetesAccount("alice", null, [], new Dictionary<string, IReadOnlyList<string>>()));

        extension.Oid!.Value!.Split('.').ShouldAllBe(arc => int.Parse(arc, CultureInfo.InvariantCulture) >= 0);
    }
}
