using System.Text.Json;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>One page of a list as the server sends it (<c>PodList</c> and the like), read without building a document in between.</summary>
internal sealed record ListPage<T>(List<T> Items, string ResourceVersion, string? Continue)
    where T : KubeObject
{
    /// <exception cref="JsonException">It is no list of this kind.</exception>
    public static ListPage<T> Parse(ReadOnlySpan<byte> json, ResourceType<T> type)
    {
        var reader = new Utf8JsonReader(json);
        var items = new List<T>();
        ListMeta? metadata = null;
        Expect(reader.Read() && reader.TokenType == JsonTokenType.StartObject);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("metadata"u8))
            {
                reader.Read();
                metadata = JsonSerializer.Deserialize(ref reader, ModelJson.Of<ListMeta>());
            }
            else if (reader.ValueTextEquals("items"u8))
            {
                ReadItems(ref reader, type, items);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        Expect(reader.TokenType == JsonTokenType.EndObject);
        return metadata?.ResourceVersion is { Length: > 0 } version
            ? new ListPage<T>(items, version, string.IsNullOrEmpty(metadata.Continue) ? null : metadata.Continue)
            : throw new JsonException("a list without metadata.resourceVersion");
    }

    private static void ReadItems(ref Utf8JsonReader reader, ResourceType<T> type, List<T> items)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
        {
            return; // how Go writes a list without elements
        }

        Expect(reader.TokenType == JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var item = JsonSerializer.Deserialize(ref reader, type.Json) ?? throw new JsonException("null in a list");

            // Items of a list don't repeat these.
            item.ApiVersion ??= type.ApiVersion;
            item.Kind ??= type.Kind;
            items.Add(item);
        }
    }

    private static void Expect(bool condition)
    {
        if (!condition)
        {
            throw new JsonException("not a list");
        }
    }
}
