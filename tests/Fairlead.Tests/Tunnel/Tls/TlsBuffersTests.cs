using System.Runtime.InteropServices;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tests.Tunnel.Tls;

public sealed class TlsBuffersTests
{
    private delegate nint Method();

    private delegate nint New(nint method);

    private delegate CLong Control(nint context, int command, CLong argument, nint pointer);

    private delegate void Free(nint context);

    [Fact]
    public void Context_that_is_made_later_has_the_mode()
    {
        Assert.SkipUnless(TlsBuffers.ReleaseWhenIdle(), "there is no libssl.so.3 here");
        var ssl = NativeLibrary.Load("libssl.so.3");
        var context = Of<New>("SSL_CTX_new")(Of<Method>("TLS_method")());

        // Adding no mode tells the modes that there are: SSL_CTX_get_mode(3).
        (Of<Control>("SSL_CTX_ctrl")(context, 33, default, 0).Value & 0x10).ShouldBe(0x10);
        Of<Free>("SSL_CTX_free")(context);

        T Of<T>(string name) => Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(ssl, name));
    }
}
