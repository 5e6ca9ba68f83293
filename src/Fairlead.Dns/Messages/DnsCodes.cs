namespace Fairlead.Dns.Messages;

/// <summary>Record types that have a form of their own here; any other value travels as <see cref="OpaqueData"/> (RFC 3597).</summary>
public enum DnsType : ushort
{
    None = 0,
    A = 1,
    NS = 2,
    CName = 5,
    Soa = 6,
    Ptr = 12,
    MX = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
    Opt = 41,
    Svcb = 64,
    Https = 65,
    Axfr = 252,
    Any = 255,
}

public enum DnsClass : ushort
{
    None = 0,
    Internet = 1,
    Any = 255,
}

/// <summary>Four bits of the header; <see cref="DnsMessage.ResponseCode"/> has the upper eight of EDNS above them.</summary>
public enum DnsResponseCode : ushort
{
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,

    /// <summary>RFC 6891 §6.1.3: needs EDNS in the answer.</summary>
    BadVersion = 16,
}

/// <summary>Header bits (RFC 1035 §4.1.1, RFC 4035 §3), in place; opcode and response code are fields of their own.</summary>
[Flags]
public enum DnsFlags : ushort
{
    None = 0,
    Response = 0x8000,
    Authoritative = 0x0400,
    Truncated = 0x0200,
    RecursionDesired = 0x0100,
    RecursionAvailable = 0x0080,
    AuthenticData = 0x0020,
    CheckingDisabled = 0x0010,
}
