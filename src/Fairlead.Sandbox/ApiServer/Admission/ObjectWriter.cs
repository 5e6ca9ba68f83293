using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Access;
using Fairlead.Sandbox.ApiServer.Admission.Validation;
using Fairlead.Sandbox.ApiServer.CustomResources;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Messages;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Sandbox.ApiServer.Admission;

/// <summary>How a write is meant.</summary>
/// <param name="DryRun">Everything but storing it.</param>
/// <param name="UnknownFields">Takes the paths of fields that the kind doesn't have; they are dropped in any case.</param>
/// <param name="Requester">Who writes; null: the cluster itself.</param>
internal readonly record struct WriteOptions(bool DryRun = false, Action<IReadOnlyList<string>>? UnknownFields = null, User? Requester = null);

/// <summary>The way into the store for everyone but nodes and controllers: defaults, admission, validation, then the write.</summary>
internal sealed class ObjectWriter(
    IObjectStore store,
    NamespaceAdmission namespaces,
    ServiceAllocator services,
    ServiceAccountAdmission accounts,
    CertificateAdmission certificates,
    DefinitionLifecycle definitions,
    TimeProvider time)
{
    private readonly Lock allocating = new();

    /// <param name="kind">Of what.</param>
    /// <param name="value">Modified: it becomes what is stored.</param>
    /// <param name="options">How.</param>
    public JsonObject Create(ResourceKind kind, JsonObject value, WriteOptions options = default)
    {
        var metadata = value.Metadata();
        foreach (var field in (ReadOnlySpan<string>)["resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"])
        {
            metadata.Remove(field);
        }

        if (value.Name().Length == 0)
        {
            metadata["name"] = GeneratedName.Choose(
                metadata.Text("generateName") ?? "", name => store.Get(kind.StorageId, value.Namespace(), name) is not null);
        }

        if (kind.HasStatus && kind.Id != BuiltInKinds.Nodes)
        {
            value.Remove("status"); // Status has its own way; nodes alone register with one.
        }

        if (kind.HasGeneration)
        {
            metadata["generation"] = 1;
        }

        if (kind.Namespaced)
        {
            namespaces.AdmitNew(kind, value);
        }

        if (kind.Id == BuiltInKinds.Pods)
        {
            accounts.Admit(value);
        }
        else if (kind.Id == BuiltInKinds.CustomResourceDefinitions)
        {
            definitions.AdmitNew(value);
        }
        else if (kind.Id == BuiltInKinds.CertificateSigningRequests)
        {
            CertificateAdmission.AdmitNew(value, options.Requester);
        }

        var created = Store(kind, value, old: null, subresource: null, options, value => options.DryRun ? Pretend(kind, value) : store.Create(kind.StorageId, value));
        if (kind.Id == BuiltInKinds.Namespaces && !options.DryRun)
        {
            namespaces.Furnish(created.Name());
        }

        return created;
    }

    /// <param name="kind">Of what.</param>
    /// <param name="value">Modified: it becomes what is stored.</param>
    /// <param name="old">What it replaces, as the caller read it.</param>
    /// <param name="subresource">The part that may change: null (all but status), "status" or another one that the kind has.</param>
    /// <param name="options">How.</param>
    public JsonObject Update(ResourceKind kind, JsonObject value, JsonObject old, string? subresource, WriteOptions options = default)
    {
        // Before anything else is judged: what is wrong with an old state is of no interest.
        if (value.Text("metadata", "resourceVersion") is { Length: > 0 } version && version != old.Text("metadata", "resourceVersion"))
        {
            throw Failures.Conflict(kind.StorageId, old.Name());
        }

        if (kind.Id == BuiltInKinds.CertificateSigningRequests)
        {
            certificates.AdmitUpdate(value, old, subresource, options.Requester);
        }
        else if (subresource == "status")
        {
            var whole = old.Clone();
            whole["status"] = value["status"]?.DeepClone();
            whole.Metadata()["resourceVersion"] = value.Text("metadata", "resourceVersion");
            value = whole;
        }
        else if (subresource == "ephemeralcontainers")
        {
            var whole = old.Clone();
            whole.Ensure("spec")["ephemeralContainers"] = value.At("spec", "ephemeralContainers")?.DeepClone();
            whole.Metadata()["resourceVersion"] = value.Text("metadata", "resourceVersion");
            value = whole;
        }
        else if (kind.HasStatus)
        {
            value.Remove("status");
            if (old["status"] is { } status)
            {
                value["status"] = status.DeepClone();
            }
        }

        // Who replaces an object whole need not know who applied what.
        value.Metadata().Default("managedFields", old.At("metadata", "managedFields")?.DeepClone());

        var updated = Store(kind, value, old, subresource, options, value => options.DryRun ? value : store.Update(kind.StorageId, value));
        if (kind.Custom is not null && store.Get(kind.StorageId, updated.Namespace(), updated.Name()) is null)
        {
            definitions.InstanceRemoved(kind);
        }

        return updated;
    }

    public JsonObject Delete(ResourceKind kind, JsonObject value, int? gracePeriodSeconds, WriteOptions options = default)
    {
        if (kind.Id == BuiltInKinds.Namespaces)
        {
            NamespaceAdmission.AdmitDelete(value.Name());
        }

        if (options.DryRun)
        {
            return value;
        }

        var deleted = store.Delete(kind.StorageId, value.Namespace(), value.Name(), gracePeriodSeconds: gracePeriodSeconds);
        if (kind.Custom is not null)
        {
            definitions.InstanceRemoved(kind);
        }
        else if (kind.Id == BuiltInKinds.CustomResourceDefinitions)
        {
            definitions.DefinitionDeleted(deleted);
        }

        return deleted;
    }

    private JsonObject Store(
        ResourceKind kind, JsonObject value, JsonObject? old, string? subresource, WriteOptions options, Func<JsonObject, JsonObject> write)
    {
        value["apiVersion"] = kind.ApiVersion;
        value["kind"] = kind.Kind;
        if (DropUnknown(kind, value) is { Count: > 0 } unknown)
        {
            options.UnknownFields?.Invoke(unknown);
        }

        var errors = new FieldErrors();
        Names.Check(kind, value, errors);
        kind.SetDefaults?.Invoke(value);
        if (kind.Id != BuiltInKinds.Services)
        {
            Validate(kind, new ObjectValidation(value, old, errors, subresource));
            return write(value);
        }

        // From choosing an address to storing the service that has it no other may choose.
        lock (allocating)
        {
            services.Allocate(value, old, errors);
            Validate(kind, new ObjectValidation(value, old, errors, subresource));
            return write(value);
        }
    }

    /// <exception cref="StatusException">400: a field of another type.</exception>
    private static IReadOnlyList<string> DropUnknown(ResourceKind kind, JsonObject value)
    {
        if (kind.Custom is null)
        {
            return MessageDecoding.Apply(kind.Kind, value);
        }

        var inMetadata = MessageDecoding.Apply("ObjectMeta", value.Metadata(), "metadata");
        return kind.Custom.Schema is { } schema ? [.. inMetadata, .. SchemaPruning.Prune(schema, value)] : inMetadata;
    }

    private static void Validate(ResourceKind kind, ObjectValidation validation)
    {
        kind.Validate?.Invoke(validation);
        if (kind.Custom?.Schema is { } schema)
        {
            SchemaValidation.Check(schema, validation.Value, validation.Errors);
        }

        validation.Errors.ThrowIfAny(kind, validation.Value.Name());
    }

    /// <summary>What a create would answer.</summary>
    private JsonObject Pretend(ResourceKind kind, JsonObject value)
    {
        if (store.Get(kind.StorageId, value.Namespace(), value.Name()) is not null)
        {
            throw Failures.AlreadyExists(kind.Id, value.Name());
        }

        value.Metadata()["uid"] = Guid.NewGuid().ToString();
        value.Metadata()["creationTimestamp"] = time.GetUtcNow().ToTimestamp();
        return value;
    }
}
