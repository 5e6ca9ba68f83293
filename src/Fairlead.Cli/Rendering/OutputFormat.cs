namespace Fairlead.Cli.Rendering;

internal enum OutputFormat
{
    Table,
    Json,
    Yaml,
}
