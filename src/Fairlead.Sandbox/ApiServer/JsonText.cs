using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>JSON text in and out of the API server.</summary>
[JsonSerializable(typeof(JsonObject))]
[JsonSourceGenerationOptions(MaxDepth = JsonText.MaxDepth)]
internal sealed partial class JsonText : JsonSerializerContext
{
    /// <summary>Deep enough for any schema of a custom resource, shallow enough that no request exhausts the stack.</summary>
    public const int MaxDepth = 96;

    private static readonly JsonDocumentOptions ReadOptions = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <summary>Writes <c>&lt;</c> and quotes as they are: nothing here ends up in an HTML page.</summary>
    public static readonly JsonWriterOptions WriteOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = MaxDepth,
        SkipValidation = true,
    };

    public static JsonText Context => Default;

    /// <exception cref="JsonException">Not JSON, too deep, or a key twice in one object.</exception>
    public static JsonNode? Parse(ReadOnlySpan<byte> utf8) => JsonNode.Parse(utf8, documentOptions: ReadOptions);

    public static JsonNode? Parse(string text) => JsonNode.Parse(text, documentOptions: ReadOptions);
}
