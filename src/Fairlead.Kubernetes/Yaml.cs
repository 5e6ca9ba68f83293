using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Fairlead.Kubernetes;

/// <summary>
/// YAML as Kubernetes' tools read it: converted to JSON with the scalar rules of YAML 1.1 (<c>0644</c> is octal, <c>yes</c> is true,
/// dates stay text). Anchors and merge keys work. Depth and size, also after aliases, are bounded, so that text from anywhere is safe.
/// </summary>
public static class Yaml
{
    /// <summary>Values of one text after aliases: a manifest with hundreds of objects has a few ten thousand.</summary>
    private const int MaxNodes = 500_000;

    private const int MaxDepth = 100;

    /// <summary>Every document of the stream that isn't empty; each must be a mapping. JSON is YAML too.</summary>
    /// <exception cref="FormatException">The text is not YAML, or a document is no mapping; the message has the line.</exception>
    public static IReadOnlyList<JsonObject> Parse(string text)
    {
        try
        {
            return new Reader(new Parser(new StringReader(text))).ReadDocuments();
        }
        catch (YamlException e)
        {
            throw Fault(e.Start, e.InnerException?.Message ?? e.Message, e);
        }
    }

    private static FormatException Fault(Mark at, string why, Exception? inner = null) =>
        new($"line {at.Line.ToString(CultureInfo.InvariantCulture)}: {why}", inner);

    /// <summary>Builds values from the parser's events, which come one by one however deep the text is.</summary>
    private sealed class Reader(Parser parser)
    {
        /// <summary>What each anchor stands for, and how many values that is.</summary>
        private readonly Dictionary<AnchorName, (JsonNode? Value, int Size)> _anchors = [];
        private int _nodes;

        public List<JsonObject> ReadDocuments()
        {
            var documents = new List<JsonObject>();
            parser.Consume<StreamStart>();
            while (parser.TryConsume<DocumentStart>(out _))
            {
                _anchors.Clear();
                var start = parser.Current!.Start;
                switch (ReadNode(depth: 0))
                {
                    case JsonObject value:
                        documents.Add(value);
                        break;
                    case null:
                        break;
                    default:
                        throw Fault(start, "a document must be a mapping");
                }

                parser.Consume<DocumentEnd>();
            }

            return documents;
        }

        private JsonNode? ReadNode(int depth)
        {
            var before = _nodes;
            var node = parser.Consume<ParsingEvent>();
            Count(1, node);
            if (depth > MaxDepth)
            {
                throw Fault(node.Start, $"nested deeper than {MaxDepth}");
            }

            if (node is AnchorAlias alias)
            {
                if (!_anchors.TryGetValue(alias.Value, out var target))
                {
                    throw Fault(node.Start, $"there is no anchor {alias.Value} before this alias, or the alias is in it");
                }

                Count(target.Size, node);
                return target.Value?.DeepClone();
            }

            var value = node switch
            {
                Scalar scalar => YamlScalar.ToJson(scalar),
                SequenceStart => ReadSequence(depth),
                MappingStart => ReadMapping(depth),
                _ => throw Fault(node.Start, $"{node} is not expected here"),
            };
            if (node is NodeEvent { Anchor.IsEmpty: false } anchored)
            {
                _anchors[anchored.Anchor] = (value, _nodes - before);
            }

            return value;
        }

        private JsonArray ReadSequence(int depth)
        {
            var array = new JsonArray();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                array.Add(ReadNode(depth + 1));
            }

            return array;
        }

        private JsonObject ReadMapping(int depth)
        {
            var result = new JsonObject();
            var merged = new List<JsonObject>();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                if (!parser.TryConsume<Scalar>(out var key))
                {
                    throw Fault(parser.Current!.Start, "a key must be a plain value");
                }

                if (key.Value == "<<" && key.Style == ScalarStyle.Plain)
                {
                    merged.AddRange(Mappings(ReadNode(depth + 1), key));
                }
                else if (!result.TryAdd(key.Value, ReadNode(depth + 1)))
                {
                    throw Fault(key.Start, $"the key {key.Value} is there twice");
                }
            }

            // https://yaml.org/type/merge.html: own keys win, then the earlier of several merged mappings.
            foreach (var (name, value) in merged.SelectMany(m => m))
            {
                result.TryAdd(name, value?.DeepClone());
            }

            return result;
        }

        private static IEnumerable<JsonObject> Mappings(JsonNode? value, Scalar key) => value switch
        {
            JsonObject one => [one],
            JsonArray several when several.All(v => v is JsonObject) => several.Cast<JsonObject>(),
            _ => throw Fault(key.Start, "only mappings can be merged"),
        };

        private void Count(int nodes, ParsingEvent at)
        {
            _nodes += nodes;
            if (_nodes > MaxNodes)
            {
                throw Fault(at.Start, $"more than {MaxNodes} values");
            }
        }
    }
}
