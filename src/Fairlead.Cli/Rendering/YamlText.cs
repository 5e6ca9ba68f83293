using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Fairlead.Cli.Rendering;

/// <summary>JSON as YAML 1.2 block style. By way of events, so that nothing is reflected over and a start stays quick.</summary>
internal static class YamlText
{
    public static void Write(JsonElement value, TextWriter writer)
    {
        var emitter = new Emitter(writer, new EmitterSettings().WithBestWidth(int.MaxValue).WithNewLine("\n"));
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, value);
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
    }

    private static void Emit(Emitter emitter, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                emitter.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, true, value.EnumerateObject().Any() ? MappingStyle.Block : MappingStyle.Flow));
                foreach (var property in value.EnumerateObject())
                {
                    EmitText(emitter, property.Name);
                    Emit(emitter, property.Value);
                }

                emitter.Emit(new MappingEnd());
                break;
            case JsonValueKind.Array:
                emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, true, value.GetArrayLength() > 0 ? SequenceStyle.Block : SequenceStyle.Flow));
                foreach (var item in value.EnumerateArray())
                {
                    Emit(emitter, item);
                }

                emitter.Emit(new SequenceEnd());
                break;
            case JsonValueKind.String:
                EmitText(emitter, value.GetString() ?? "");
                break;
            default:
                // numbers, true, false and null are spelt alike in both (YAML 1.2 §10.2, the JSON schema)
                emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, value.GetRawText(), ScalarStyle.Plain, true, false));
                break;
        }
    }

    private static void EmitText(Emitter emitter, string text)
    {
        var style = text.Contains('\n') ? ScalarStyle.Literal : NeedsQuotes(text) ? ScalarStyle.DoubleQuoted : ScalarStyle.Any;
        emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, text, style, true, true));
    }

    /// <summary>Plain, a YAML 1.1 or 1.2 reader would take it for something other than a string: quoted then. The emitter quotes the rest that needs it.</summary>
    private static bool NeedsQuotes(string text) =>
        text.Length == 0
        || char.IsAsciiDigit(text[0])
        || text[0] is '+' or '-' or '.' or '~' or '='
        || text.ToLowerInvariant() is "true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n";
}
