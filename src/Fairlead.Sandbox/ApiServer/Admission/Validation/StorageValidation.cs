using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

internal static class StorageValidation
{
    private static readonly string[] AccessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

    public static void PersistentVolume(ObjectValidation volume)
    {
        Modes(volume);
        if (volume.Value.Text("spec", "capacity", "storage") is null)
        {
            volume.Errors.Required("spec.capacity");
        }

        if (volume.Value.Text("spec", "hostPath", "path") is null)
        {
            volume.Errors.Required("spec.hostPath", "the sandbox has no other volume type");
        }
    }

    public static void PersistentVolumeClaim(ObjectValidation claim)
    {
        Modes(claim);
        if (claim.Value.Text("spec", "resources", "requests", "storage") is null)
        {
            claim.Errors.Required("spec.resources[storage]");
        }

        if (claim.Old is { } old && !JsonNode.DeepEquals(FixedPart(claim.Value), FixedPart(old)))
        {
            claim.Errors.Forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
        }
    }

    private static void Modes(ObjectValidation storage)
    {
        var modes = storage.Value.Texts("spec", "accessModes").ToArray();
        if (modes.Length == 0)
        {
            storage.Errors.Required("spec.accessModes", "at least 1 access mode is required");
        }

        foreach (var mode in modes.Where(mode => !AccessModes.Contains(mode)))
        {
            storage.Errors.Unsupported("spec.accessModes", mode, AccessModes);
        }
    }

    /// <summary>A claim is bound once: volumeName may be set, and requests may grow.</summary>
    private static JsonObject FixedPart(JsonObject claim)
    {
        var spec = (claim.Map("spec") ?? []).Clone();
        spec.Remove("resources");
        spec.Remove("volumeName");
        return spec;
    }
}
