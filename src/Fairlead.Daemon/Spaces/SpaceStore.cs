using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Recovery;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>Everything of a space that was on disk. The certificate holds its private key; whoever loaded it owns it.</summary>
internal sealed record StoredSpace(SpaceRecord Record, X509Certificate2 Certificate, SpaceSettings Settings, IReadOnlyList<AddressAssignment> Addresses);

/// <summary>
/// The state of the spaces: <c>STATE/UID/SPACE-UID/{space.json, identity.pem, rules.json, addresses.json, catalog.json}</c> and <c>STATE/in-use.json</c>,
/// root only. Each file is replaced as a whole; key and certificate share one, so that they always fit together.
/// </summary>
internal sealed partial class SpaceStore(string directory, ILogger logger)
{
    private const string RecordFile = "space.json";
    private const string IdentityFile = "identity.pem";
    private const string SettingsFile = "rules.json";
    private const string AddressesFile = "addresses.json";
    private const string CatalogFile = "catalog.json";
    private const string VirtualFile = "virtual.json";

    private string InUseFile => Path.Combine(directory, "in-use.json");

    /// <summary>Every space that can be read. One that can't is left where it is and logged.</summary>
    public IReadOnlyList<StoredSpace> LoadAll()
    {
        var spaces = new List<StoredSpace>();
        if (!Directory.Exists(directory))
        {
            return spaces;
        }

        foreach (var owner in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal))
        {
            if (!uint.TryParse(Path.GetFileName(owner), out _))
            {
                continue;
            }

            foreach (var space in Directory.EnumerateDirectories(owner).Order(StringComparer.Ordinal))
            {
                try
                {
                    if (Load(space) is { } stored)
                    {
                        spaces.Add(stored);
                    }
                }
                catch (Exception e) when (e is JsonException or CryptographicException or IOException or UnauthorizedAccessException)
                {
                    LogUnreadable(space, e.Message);
                }
            }
        }

        return spaces;
    }

    public string? LoadInUse()
    {
        try
        {
            return PrivateFile.ReadJson(InUseFile, SpaceJson.Default.SpaceInUse)?.Key;
        }
        catch (JsonException e)
        {
            LogUnreadable(InUseFile, e.Message);
            return null;
        }
    }

    public void SaveInUse(string? key)
    {
        if (key is null)
        {
            File.Delete(InUseFile);
        }
        else
        {
            PrivateFile.WriteJson(InUseFile, new SpaceInUse(key), SpaceJson.Default.SpaceInUse);
        }
    }

    public void SaveRecord(SpaceRecord record) => PrivateFile.WriteJson(PathOf(record, RecordFile), record, SpaceJson.Default.SpaceRecord);

    /// <param name="certificate">With its private key.</param>
    public void SaveIdentity(SpaceRecord record, X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey() ?? throw new CryptographicException("The certificate has no ECDSA key.");
        PrivateFile.Write(PathOf(record, IdentityFile), Encoding.ASCII.GetBytes(certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n"));
    }

    public void SaveSettings(SpaceRecord record, SpaceSettings settings) => PrivateFile.WriteJson(PathOf(record, SettingsFile), settings, SpaceJson.Default.SpaceSettings);

    public void SaveAddresses(SpaceRecord record, IReadOnlyList<AddressAssignment> addresses) => PrivateFile.WriteJson(
        PathOf(record, AddressesFile), new StoredAddresses([.. addresses.Select(StoredAddress.Of)]), SpaceJson.Default.StoredAddresses);

    /// <summary>The virtual addresses of the last connection; nothing when none can be read, which costs only that they may be others.</summary>
    public StoredVirtual LoadVirtual(SpaceRecord record)
    {
        var path = PathOf(record, VirtualFile);
        try
        {
            return PrivateFile.ReadJson(path, SpaceJson.Default.StoredVirtual) ?? StoredVirtual.None;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            LogUnreadable(path, e.Message);
            return StoredVirtual.None;
        }
    }

    public void SaveVirtual(SpaceRecord record, StoredVirtual addresses) =>
        PrivateFile.WriteJson(PathOf(record, VirtualFile), addresses, SpaceJson.Default.StoredVirtual);

    /// <summary>What the gateway had told when it was last stored; null when there is nothing that can be read, which costs only patience.</summary>
    public Catalog? LoadCatalog(SpaceRecord record)
    {
        var path = PathOf(record, CatalogFile);
        try
        {
            return PrivateFile.ReadJson(path, SpaceJson.Default.StoredCatalog) is { } stored ? Catalog.Restore(stored.Services) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            LogUnreadable(path, e.Message);
            return null;
        }
    }

    public void SaveCatalog(SpaceRecord record, IReadOnlyCollection<ServiceRecord> services) =>
        PrivateFile.WriteJson(PathOf(record, CatalogFile), new StoredCatalog(services), SpaceJson.Default.StoredCatalog);

    public void Delete(SpaceRecord record)
    {
        var path = PathOf(record, "");
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private string PathOf(SpaceRecord record, string file) => Path.Combine(directory, $"{record.Owner}", record.Uid, file);

    private static StoredSpace? Load(string path)
    {
        // Written last when joining: without it the join never completed.
        if (PrivateFile.ReadJson(Path.Combine(path, RecordFile), SpaceJson.Default.SpaceRecord) is not { } record)
        {
            return null;
        }

        var pem = File.ReadAllText(Path.Combine(path, IdentityFile));
        var settings = PrivateFile.ReadJson(Path.Combine(path, SettingsFile), SpaceJson.Default.SpaceSettings) ?? SpaceSettings.None;
        var addresses = PrivateFile.ReadJson(Path.Combine(path, AddressesFile), SpaceJson.Default.StoredAddresses)?.Addresses ?? [];
        return new StoredSpace(record, X509Certificate2.CreateFromPem(pem, pem), settings, [.. addresses.Select(address => address.In(record.Key)).OfType<AddressAssignment>()]);
    }

    [LoggerMessage(3001, LogLevel.Error, "{Path} can't be read and is left out: {Reason}")]
    private partial void LogUnreadable(string path, string reason);
}
