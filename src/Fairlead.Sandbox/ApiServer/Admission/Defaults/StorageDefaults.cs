using System.Text;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

internal static class StorageDefaults
{
    /// <summary><c>stringData</c> is for writing only: it becomes <c>data</c>.</summary>
    public static void Secret(JsonObject secret)
    {
        secret.Default("type", "Opaque");
        if (secret.Map("stringData") is { } plain)
        {
            var data = secret.Ensure("data");
            foreach (var (key, value) in plain)
            {
                data[key] = Convert.ToBase64String(Encoding.UTF8.GetBytes(value.Text() ?? ""));
            }

            secret.Remove("stringData");
        }
    }

    public static void PersistentVolume(JsonObject volume)
    {
        var spec = volume.Ensure("spec");
        spec.Default("persistentVolumeReclaimPolicy", "Retain");
        spec.Default("volumeMode", "Filesystem");
        spec.Map("hostPath")?.Default("type", "");
        volume.Ensure("status").Default("phase", "Pending");
    }

    public static void PersistentVolumeClaim(JsonObject claim)
    {
        claim.Ensure("spec").Default("volumeMode", "Filesystem");
        claim.Ensure("status").Default("phase", "Pending");
    }
}
