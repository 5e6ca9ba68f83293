using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Fairlead.Sandbox.ApiServer.Streaming;

/// <summary>log, exec, attach and portforward of a pod, carried between the client and the pod's node.</summary>
internal sealed class PodStreams(INodeAgent node, CancellationToken stopping)
{
    public async Task LogAsync(HttpContext context, JsonObject pod)
    {
        var query = context.Request.Query;
        var container = ContainerOf(pod, query);
        var options = new LogOptions(
            Flag(query, "follow"), Flag(query, "previous"), Number(query, "tailLines"), Flag(query, "timestamps"), Number(query, "sinceSeconds"));
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await using var log = await node.OpenLogAsync(container, options, end.Token);
        context.Response.ContentType = "text/plain";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await context.Response.StartAsync(end.Token);
        await log.CopyToAsync(context.Response.Body, end.Token);
    }

    public async Task ExecAsync(HttpContext context, JsonObject pod)
    {
        var request = RequestOf(context.Request.Query);
        if (request.Command.Count == 0)
        {
            throw Failures.BadRequest("you must specify at least 1 command for the container");
        }

        await RemoteCommand.RunAsync(context, request, cancel => node.ExecAsync(ContainerOf(pod, context.Request.Query), request, cancel), stopping);
    }

    public Task AttachAsync(HttpContext context, JsonObject pod)
    {
        var request = RequestOf(context.Request.Query);
        return RemoteCommand.RunAsync(context, request, cancel => node.AttachAsync(ContainerOf(pod, context.Request.Query), request, cancel), stopping);
    }

    public Task PortForwardAsync(HttpContext context, JsonObject pod) => PortForward.RunAsync(context, pod, node, stopping);

    private static ExecRequest RequestOf(IQueryCollection query)
    {
        // A terminal has one output.
        var tty = Flag(query, "tty");
        return new ExecRequest([.. query["command"].OfType<string>()], Flag(query, "stdin"), Flag(query, "stdout"), Flag(query, "stderr") && !tty, tty);
    }

    /// <summary>The container that the query names, or the only one, or the one that kubectl would take.</summary>
    private static ContainerId ContainerOf(JsonObject pod, IQueryCollection query)
    {
        string[] names = [.. ((string[])["containers", "initContainers", "ephemeralContainers"]).SelectMany(list => pod.Maps("spec", list)).Select(item => item.Text("name") ?? "")];
        var container = query["container"].ToString();
        if (container.Length == 0)
        {
            container = pod.Maps("spec", "containers").Count() == 1
                ? pod.Maps("spec", "containers").First().Text("name") ?? ""
                : throw Failures.BadRequest($"a container name must be specified for pod {pod.Name()}, choose one of: [{string.Join(' ', names)}]");
        }

        return names.Contains(container)
            ? new ContainerId(pod.Namespace()!, pod.Name(), container)
            : throw Failures.BadRequest($"container {container} is not valid for pod {pod.Name()}");
    }

    private static bool Flag(IQueryCollection query, string name) => query[name].ToString() is "true" or "1";

    private static int? Number(IQueryCollection query, string name) =>
        int.TryParse(query[name], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
