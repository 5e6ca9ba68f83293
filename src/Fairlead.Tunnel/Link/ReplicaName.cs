using System.Security.Cryptography.X509Certificates;

namespace Fairlead.Tunnel.Link;

/// <summary>Which replica is at the other end: its certificate's common name is the pod's. The same by every carrier, and the peer can't choose another's.</summary>
internal static class ReplicaName
{
    public static string Of(X509Certificate? certificate) => certificate is X509Certificate2 known ? known.GetNameInfo(X509NameType.SimpleName, forIssuer: false) : "";
}
