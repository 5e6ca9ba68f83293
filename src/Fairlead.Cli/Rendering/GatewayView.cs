using Fairlead.Contracts.Administration;

namespace Fairlead.Cli.Rendering;

/// <summary>How an installed gateway is shown to people.</summary>
internal static class GatewayView
{
    public static void Write(Output output, GatewayDeployment gateway, DateTimeOffset now)
    {
        if (!gateway.Installed)
        {
            output.Line($"No gateway is installed in namespace {gateway.Namespace} of this cluster. next: fairlead gateway install");
            return;
        }

        output.Line($"Space       {gateway.SpaceName ?? "-"} ({gateway.SpaceUid ?? "no uid yet"})");
        output.Line($"Namespace   {gateway.Namespace}");
        output.Line($"Image       {gateway.Image ?? "-"}");
        output.Line($"Ready       {output.Palette.Paint(new Cell($"{gateway.Ready} of {gateway.Replicas}", gateway.Ready == gateway.Replicas ? Style.Good : Style.Warning))}");
        output.Line($"Endpoints   {(gateway.Endpoints.Count == 0 ? "none known yet" : string.Join(", ", gateway.Endpoints))}");
        output.Line($"Connected   {(gateway.People.Count == 0 ? "nobody" : string.Join(", ", gateway.People.Select(p => p.Laptops > 1 ? $"{p.Subject} ({p.Laptops} laptops)" : p.Subject)))}");
        if (gateway.Pods.Count > 0)
        {
            output.Line("");
            var table = new Table("REPLICA", "NODE", "STATE", "READY", "RESTARTS", "VERSION", "PEOPLE", "FLOWS", "AGE");
            foreach (var pod in gateway.Pods)
            {
                table.Add(
                    pod.Pod,
                    pod.Node ?? "-",
                    new Cell(pod.State, pod.Ready ? Style.Plain : Style.Warning),
                    pod.Ready ? "yes" : "no",
                    $"{pod.Restarts}",
                    pod.Version ?? "-",
                    pod.People?.ToString() ?? "-",
                    pod.Flows?.ToString() ?? "-",
                    pod.Created is { } created ? Humane.Age(now - created) : "-");
            }

            output.Show(table);
        }

        foreach (var warning in gateway.Problems.Concat(Warnings(gateway)))
        {
            output.Warn(warning);
        }
    }

    private static IEnumerable<string> Warnings(GatewayDeployment gateway)
    {
        if (!gateway.Asked)
        {
            yield return "not every replica could be asked: that takes the right to create pods/portforward in the gateway's namespace";
        }

        if (gateway.Pods.Select(p => p.Version).OfType<string>().Distinct().ToList() is { Count: > 1 } versions)
        {
            yield return $"replicas are of different versions ({string.Join(", ", versions)}): an upgrade is under way, or stuck";
        }

        if (gateway.Endpoints.Count == 0)
        {
            yield return "nobody can join: the gateway does not know where laptops reach it. Name it: fairlead gateway upgrade --set 'endpoints={HOST:API-PORT:DATA-PORT}'";
        }
    }
}
