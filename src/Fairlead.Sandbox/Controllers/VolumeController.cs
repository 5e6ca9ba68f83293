using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Nodes;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>
/// Binds claims: to a free PersistentVolume that fits, otherwise to a directory made for the claim. Such a directory goes with its claim
/// unless the volume's reclaim policy says otherwise.
/// </summary>
internal sealed class VolumeController : Controller
{
    private const string Provisioner = "pv.kubernetes.io/provisioned-by";
    private const string Self = "fairlead.dev/sandbox";

    private readonly string directory;

    internal VolumeController(IObjectStore store, string directory, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        this.directory = directory;
        Watch(Kinds.PersistentVolumeClaims, Itself);
        Watch(Kinds.PersistentVolumes, volume =>
        [
            new ObjectKey("", volume.Name()),
            .. Store.List(Kinds.PersistentVolumeClaims).Items.Where(claim => claim.Text("status", "phase") != "Bound").Select(claim => claim.Key()),
        ]);
    }

    protected override void Reconcile(ObjectKey key)
    {
        if (key.Namespace.Length == 0)
        {
            Reclaim(key.Name);
        }
        else if (Store.Get(Kinds.PersistentVolumeClaims, key.Namespace, key.Name) is { } claim)
        {
            if (claim.Text("status", "phase") != "Bound")
            {
                Bind(claim);
            }
        }
        else
        {
            foreach (var volume in Store.List(Kinds.PersistentVolumes).Items.Where(v => Claim(v) == key))
            {
                Reclaim(volume.Name());
            }
        }
    }

    private static ObjectKey Claim(JsonObject volume) =>
        new(volume.Text("spec", "claimRef", "namespace") ?? "", volume.Text("spec", "claimRef", "name") ?? "");

    private void Bind(JsonObject claim)
    {
        var name = claim.Text("spec", "volumeName") is { Length: > 0 } asked ? asked
            : Store.List(Kinds.PersistentVolumes).Items.FirstOrDefault(volume => Fits(volume, claim))?.Name()
            ?? Provision(claim);
        if (Store.Get(Kinds.PersistentVolumes, null, name) is not { } found || (found.At("spec", "claimRef") is not null && Claim(found) != claim.Key()))
        {
            return; // Asked for by name and not there, or somebody else's: it stays pending.
        }

        Store.Modify(Kinds.PersistentVolumes, null, name, volume =>
        {
            volume.Ensure("spec")["claimRef"] = new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "PersistentVolumeClaim",
                ["namespace"] = claim.Namespace(),
                ["name"] = claim.Name(),
                ["uid"] = claim.Uid(),
            };
            volume.Ensure("status")["phase"] = "Bound";
            return true;
        });
        Store.Modify(Kinds.PersistentVolumeClaims, claim.Namespace(), claim.Name(), target =>
        {
            target.Ensure("spec")["volumeName"] = name;
            var status = target.Ensure("status");
            status["phase"] = "Bound";
            status["accessModes"] = target.At("spec", "accessModes")?.DeepClone();
            status["capacity"] = found.At("spec", "capacity")?.DeepClone();
            return true;
        });
    }

    private static bool Fits(JsonObject volume, JsonObject claim)
    {
        static decimal Size(JsonNode node, params ReadOnlySpan<string> path) => node.IntOrText(path) is { } text ? PodFields.Quantity(text) : 0;
        return volume.At("spec", "claimRef") is null && !volume.IsBeingDeleted()
            && (claim.Text("spec", "storageClassName") ?? "") == (volume.Text("spec", "storageClassName") ?? "")
            && Size(volume, "spec", "capacity", "storage") >= Size(claim, "spec", "resources", "requests", "storage")
            && claim.Texts("spec", "accessModes").All(volume.Texts("spec", "accessModes").Contains)
            && LabelSelector.Matches(claim.At("spec", "selector"), volume);
    }

    private string Provision(JsonObject claim)
    {
        var name = $"pvc-{claim.Uid()}";
        if (Store.Get(Kinds.PersistentVolumes, null, name) is not null)
        {
            return name;
        }

        var path = Path.Combine(directory, $"{claim.Namespace()}_{claim.Name()}_{claim.Uid()}");
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, (UnixFileMode)0x1ff);      // 0777: any user of any pod, as dynamic provisioners of directories do
        Store.Create(Kinds.PersistentVolumes, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "PersistentVolume",
            ["metadata"] = new JsonObject { ["name"] = name, ["annotations"] = new JsonObject { [Provisioner] = Self } },
            ["spec"] = new JsonObject
            {
                ["accessModes"] = claim.At("spec", "accessModes")?.DeepClone() ?? new JsonArray("ReadWriteOnce"),
                ["capacity"] = claim.At("spec", "resources", "requests")?.DeepClone() ?? new JsonObject { ["storage"] = "1Gi" },
                ["hostPath"] = new JsonObject { ["path"] = path, ["type"] = "DirectoryOrCreate" },
                ["persistentVolumeReclaimPolicy"] = "Delete",
                ["storageClassName"] = claim.Text("spec", "storageClassName") ?? "",
                ["volumeMode"] = "Filesystem",
            },
        });
        return name;
    }

    private void Reclaim(string name)
    {
        if (Store.Get(Kinds.PersistentVolumes, null, name) is not { } volume || volume.At("spec", "claimRef") is null)
        {
            return;
        }

        var claim = Claim(volume);
        if (Store.Get(Kinds.PersistentVolumeClaims, claim.Namespace, claim.Name) is { } held && held.Uid() == (volume.Text("spec", "claimRef", "uid") ?? held.Uid()))
        {
            return;
        }

        var path = volume.Text("spec", "hostPath", "path") ?? "";
        if (volume.Text("metadata", "annotations", Provisioner) == Self && volume.Text("spec", "persistentVolumeReclaimPolicy") == "Delete"
            && Path.GetDirectoryName(path) == directory)
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }

            Store.Delete(Kinds.PersistentVolumes, null, name);
        }
        else if (volume.Text("status", "phase") == "Bound")
        {
            Store.Modify(Kinds.PersistentVolumes, null, name, found =>
            {
                found.Ensure("status")["phase"] = "Released";
                return true;
            });
        }
    }
}
