using System.Runtime.InteropServices;

namespace Fairlead.Tunnel.Tls;

/// <summary>
/// What a TLS connection holds while it is idle (docs/adr/0010). OpenSSL keeps two record buffers of 17 KB for each connection, unless it is told to free
/// them whenever they are empty, and .NET tells it neither that nor has an option for it.
/// </summary>
public static class TlsBuffers
{
    private const string Library = "libssl.so.3";

    /// <summary>openssl/crypto.h: the kind of object whose creation is told.</summary>
    private const int ExIndexSslContext = 1;

    /// <summary>openssl/ssl.h.</summary>
    private const int ControlMode = 33;
    private const nint ModeReleaseBuffers = 0x10;

    /// <summary>Kept for as long as the process: OpenSSL calls it.</summary>
    private static readonly ContextCreated OnCreated = static (context, _, _, _, _, _) => _control!(context, ControlMode, new CLong(ModeReleaseBuffers), 0);

    private static Control? _control;

    /// <summary>CRYPTO_EX_new of CRYPTO_get_ex_new_index(3): called for each SSL_CTX that is made.</summary>
    private delegate void ContextCreated(nint parent, nint pointer, nint data, int index, CLong number, nint argument);

    private delegate int NewIndex(int kind, CLong number, nint argument, ContextCreated created, nint duplicated, nint freed);

    /// <summary>SSL_CTX_ctrl(3), which SSL_CTX_set_mode(3) is a macro of.</summary>
    private delegate CLong Control(nint context, int command, CLong mode, nint argument);

    private delegate int Trim(nuint pad);

    /// <summary>Has every TLS connection of this process free its record buffers while they are empty. To be called once, before the first of them.</summary>
    /// <returns>False where there is no OpenSSL 3: everything works as before, and takes more memory.</returns>
    public static bool ReleaseWhenIdle()
    {
        if (!NativeLibrary.TryLoad(Library, out var ssl) || !NativeLibrary.TryGetExport(ssl, "SSL_CTX_ctrl", out var control) || !NativeLibrary.TryGetExport(ssl, "CRYPTO_get_ex_new_index", out var newIndex))
        {
            return false;
        }

        _control = Marshal.GetDelegateForFunctionPointer<Control>(control);
        return Marshal.GetDelegateForFunctionPointer<NewIndex>(newIndex)(ExIndexSslContext, default, 0, OnCreated, 0, 0) >= 0;
    }

    /// <summary>
    /// Gives the pages back to the system that connections which ended have left free between those of others (malloc_trim(3)), which the C library only
    /// does at the end of its heap. Nothing happens where the C library isn't glibc.
    /// </summary>
    public static void HandBackFreed()
    {
        if (NativeLibrary.TryLoad("libc.so.6", out var c) && NativeLibrary.TryGetExport(c, "malloc_trim", out var trim))
        {
            _ = Marshal.GetDelegateForFunctionPointer<Trim>(trim)(0);
        }
    }
}
