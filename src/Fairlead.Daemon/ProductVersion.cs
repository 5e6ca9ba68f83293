using System.Reflection;

namespace Fairlead.Daemon;

/// <summary>The version of this build, as people see it.</summary>
internal static class ProductVersion
{
    public static readonly string Text = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
}
