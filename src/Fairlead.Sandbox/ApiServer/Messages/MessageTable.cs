using System.Collections.Frozen;

namespace Fairlead.Sandbox.ApiServer.Messages;

/// <summary>A field as <c>messages.txt</c> describes it.</summary>
/// <param name="Name">In JSON; empty: the fields of the message stand in place of it.</param>
/// <param name="Type">string, bool, int, double, bytes, a special type or a message.</param>
/// <param name="IsPointer">Its zero value counts; that of others means absent.</param>
/// <param name="IsList">Repeated.</param>
/// <param name="IsMap">A map from strings.</param>
internal sealed record MessageField(string Name, string Type, bool IsPointer, bool IsList, bool IsMap);

/// <summary>The types of the built-in kinds: what their fields are called and may hold.</summary>
internal static class MessageTable
{
    private const string Resource = "kubernetes-messages.txt";

    private static readonly Lazy<FrozenDictionary<string, FrozenDictionary<int, MessageField>>> Numbered = new(Load);
    private static readonly Lazy<FrozenDictionary<string, FrozenDictionary<string, MessageField>>> Named = new(
        () => Numbered.Value.ToFrozenDictionary(message => message.Key, message => Flatten(message.Key).ToFrozenDictionary(field => field.Name)));

    /// <summary>By number, as protobuf has them.</summary>
    public static FrozenDictionary<int, MessageField>? ByNumber(string message) => Numbered.Value.GetValueOrDefault(message);

    /// <summary>By name, as JSON has them.</summary>
    public static FrozenDictionary<string, MessageField>? ByName(string message) => Named.Value.GetValueOrDefault(message);

    private static IEnumerable<MessageField> Flatten(string message) =>
        Numbered.Value[message].Values.SelectMany(field => field.Name.Length == 0 ? Flatten(field.Type) : [field]);

    private static FrozenDictionary<string, FrozenDictionary<int, MessageField>> Load()
    {
        using var reader = new StreamReader(typeof(MessageTable).Assembly.GetManifestResourceStream(Resource)!);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#')
            .Select(line => line.Split(' '))
            .ToFrozenDictionary(parts => parts[0], parts => parts.Skip(1).Select(Parse).ToFrozenDictionary(field => field.Number, field => field.Field));
    }

    private static (int Number, MessageField Field) Parse(string text)
    {
        var parts = text.Split(':');
        var type = parts[2];
        var isPointer = type.StartsWith('?');
        type = type.TrimStart('?');
        var (isList, isMap) = (type.StartsWith("[]"), type.StartsWith("{}"));
        return (int.Parse(parts[0]), new MessageField(parts[1].TrimStart('~'), isList || isMap ? type[2..] : type, isPointer, isList, isMap));
    }
}
