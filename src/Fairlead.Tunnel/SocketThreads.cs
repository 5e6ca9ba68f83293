namespace Fairlead.Tunnel;

/// <summary>How a process of ours that moves bytes uses threads.</summary>
public static class SocketThreads
{
    /// <summary>
    /// Has what awaits a socket go on at once on the thread that learned of the event (one for each processor) instead of being handed to another: each of
    /// the four sockets that a request passes on its way then costs one wake-up, not two. What follows an await at a socket must therefore be
    /// short and never block: long work leaves by <see cref="Task.Yield"/>. To be called before the first socket is used.
    /// (System.Net.Sockets, SocketAsyncEngine: DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS.)
    /// </summary>
    public static void CompleteInline() => Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
}
