using System.Text.RegularExpressions;
using Fairlead.Companion.Administration.Values;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Companion.Administration.Values;

/// <summary>The chart's files that follow from GatewayValues are what follows from it, and its templates know the same values.</summary>
public sealed partial class ChartFilesTests
{
    /// <summary>Set to 1, these tests write the files anew instead of comparing them.</summary>
    private const string Update = "FAIRLEAD_UPDATE_CHART";

    private static readonly string Root = FindRoot();

    [Fact]
    public void Values_yaml_is_that_of_the_values()
    {
        Compare("deploy/chart/values.yaml", ValueDocuments.Yaml());
        var values = Yaml.Parse(ValueDocuments.Yaml()).ShouldHaveSingleItem();
        ValueSchema.Check(values);
        System.Text.Json.Nodes.JsonNode.DeepEquals(
            System.Text.Json.JsonSerializer.SerializeToNode(ValueMerge.Effective(values), ValuesJson.Default.GatewayValues),
            System.Text.Json.JsonSerializer.SerializeToNode(new GatewayValues(), ValuesJson.Default.GatewayValues)).ShouldBeTrue();
    }

    [Fact]
    public void Schema_is_that_of_the_values() => Compare("deploy/chart/values.schema.json", ValueDocuments.Schema());

    [Fact]
    public void Documented_values_are_those_there_are()
    {
        var path = Path.Combine(Root, "docs/install.md");
        var text = File.ReadAllText(path);
        var (begin, end) = (text.IndexOf("| value |", StringComparison.Ordinal), text.IndexOf("<!-- end of values -->", StringComparison.Ordinal));
        begin.ShouldBeGreaterThan(0);
        var expected = "| value | default | what it is |\n|---|---|---|\n" + ValueDocuments.Table();
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            File.WriteAllText(path, text[..begin] + expected + text[end..]);
        }
        else
        {
            text[begin..end].ShouldBe(expected, $"set {Update}=1 to write it anew");
        }
    }

    [Fact]
    public void Templates_use_every_value_and_no_other()
    {
        var used = Directory.GetFiles(Path.Combine(Root, "deploy/chart/templates")).SelectMany(f => Value().Matches(File.ReadAllText(f)).Select(m => m.Groups["path"].Value)).ToHashSet();
        var known = ValueSchema.Paths().ToHashSet();
        used.Except(known).ShouldBeEmpty("templates use values that there are none of");
        known.Except(used).ShouldBeEmpty("no template uses these values");
    }

    private static void Compare(string file, string expected)
    {
        var path = Path.Combine(Root, file);
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            File.WriteAllText(path, expected);
        }

        File.ReadAllText(path).ShouldBe(expected, $"set {Update}=1 to write it anew");
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Fairlead.slnx")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("the tests run inside a checkout");
        }

        return directory.FullName;
    }

    [GeneratedRegex(@"\.Values\.(?<path>[A-Za-z.]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Value();
}
