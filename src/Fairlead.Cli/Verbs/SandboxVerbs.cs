using System.CommandLine;
using System.Diagnostics;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Errors;

namespace Fairlead.Cli.Verbs;

/// <summary>sandbox up|down|status|reset|kubectl, and the hidden <c>sandbox serve</c>.</summary>
internal sealed class SandboxVerbs(CliHost host, CommonOptions common)
{
    private const string Limits = """
        Limits:
          For trying fairlead and for tests, never for production. Needs root and Linux.
          One node; pods are processes of this host, images a table of its programs.
          Requests and limits of processor and memory have no effect.
          Pods with hostNetwork, hostPID, hostIPC or a shared process namespace don't
          start. No gRPC probes, no kubectl port-forward.
          No Jobs, CronJobs, DaemonSets, autoscalers, Ingresses or NetworkPolicies;
          LoadBalancers get no address. Server-side apply finds no conflicts.
          'down' removes volumes, too.
          What it lacks answers 404 or 501 with a Status, never a made-up success.
          All of it: docs/sandbox.md

        """;

    private readonly Option<string?> _stateDirectory = new("--state-dir") { Description = "Where it keeps its objects and volumes", HelpName = "DIR" };
    private readonly Option<string?> _images = new("--images") { Description = "JSON file: which program of this host stands for which other image (docs/sandbox.md)", HelpName = "FILE" };
    private readonly Option<string?> _subnet = new("--subnet") { Description = "The /30 of its link to this host, so that several can run", HelpName = "CIDR" };

    public Command Build()
    {
        var sandbox = new Verb("sandbox", "A small Kubernetes-compatible cluster on this machine, to try fairlead on", "sudo fairlead sandbox up --with shop", "sudo fairlead sandbox kubectl get pods -A", "sudo fairlead sandbox down") { Details = Limits };

        var with = new Option<string[]>("--with") { Description = "Also apply a sample and wait until it is ready: shop", HelpName = "SAMPLE", AllowMultipleArgumentsPerToken = true };
        with.AcceptOnlyFromAmong("shop");
        var up = WithPlace(new Verb("up", "Bring the cluster up; prints the path of its kubeconfig", "sudo fairlead sandbox up --with shop")
            .Does(host, common, async (context, cancellationToken) =>
            {
                SandboxState state;
                await using (var progress = new ProgressLine(host, "Bringing the cluster up"))
                {
                    state = await host.Sandbox().UpAsync(Request(context, context.Get(with) ?? []), progress, cancellationToken);
                }

                ShowUp(context, state);
            }));
        up.Options.Add(with);
        up.Options.Add(_images);
        sandbox.Subcommands.Add(up);

        sandbox.Subcommands.Add(WithPlace(new Verb("down", "End the cluster and remove every trace of it, volumes too", "sudo fairlead sandbox down")
            .Does(host, common, async (context, cancellationToken) =>
            {
                await using (new ProgressLine(host, "Taking the cluster down"))
                {
                    await host.Sandbox().DownAsync(Request(context), cancellationToken);
                }

                DaemonVerbs.Say(context, "The cluster is down.");
            })));

        sandbox.Subcommands.Add(WithPlace(new Verb("status", "Show whether the cluster is up, and its pods", "sudo fairlead sandbox status")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var state = await host.Sandbox().GetStateAsync(Request(context), cancellationToken);
                context.ExitCode = state.Running ? 0 : (int)ErrorCategory.NotConnected;
                context.Output.Show(state, CliJson.Default.SandboxState, WriteState);
            })));

        var reset = WithPlace(new Verb("reset", "Begin again with a fresh cluster", "sudo fairlead sandbox reset --with shop")
            .Does(host, common, async (context, cancellationToken) =>
            {
                SandboxState state;
                await using (var progress = new ProgressLine(host, "Taking the cluster down"))
                {
                    state = await host.Sandbox().ResetAsync(Request(context, context.Get(with) ?? []), progress, cancellationToken);
                }

                ShowUp(context, state);
            }));
        reset.Options.Add(with);
        reset.Options.Add(_images);
        sandbox.Subcommands.Add(reset);

        sandbox.Subcommands.Add(Kubectl());

        var serve = WithPlace(new Verb("serve", "Be the cluster (started by 'fairlead sandbox up')", "fairlead sandbox serve")
            .Does(host, common, (context, cancellationToken) => host.Sandbox().ServeAsync(Request(context), cancellationToken)));
        serve.Hidden = true;
        sandbox.Subcommands.Add(serve);
        return sandbox;
    }

    private Verb Kubectl()
    {
        var arguments = new Argument<string[]>("ARGS") { HelpName = "ARGS", Description = "As for kubectl", Arity = ArgumentArity.ZeroOrMore };
        var kubectl = new Verb("kubectl", "Run kubectl with the cluster's kubeconfig", "sudo fairlead sandbox kubectl get pods -n shop", "sudo fairlead sandbox kubectl logs -n shop deployment/frontend")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var start = new ProcessStartInfo("kubectl") { UseShellExecute = false };
                foreach (var argument in context.Parse.GetValue(arguments) ?? [])
                {
                    start.ArgumentList.Add(argument);
                }

                start.Environment["KUBECONFIG"] = host.Sandbox().KubeconfigPath(new SandboxRequest(null, null, []));
                try
                {
                    using var process = Process.Start(start) ?? throw new InvalidOperationException("kubectl did not start");
                    await process.WaitForExitAsync(cancellationToken);
                    context.ExitCode = process.ExitCode;
                }
                catch (System.ComponentModel.Win32Exception e)
                {
                    throw new FairleadException(ErrorCategory.Failed, "kubectl-missing", "kubectl can't be run", e.Message, "Install kubectl 1.31 or later, or point another client at the kubeconfig that 'fairlead sandbox status' names.", e);
                }
            });
        kubectl.Arguments.Add(arguments);
        return kubectl;
    }

    private Verb WithPlace(Verb verb)
    {
        verb.Options.Add(_stateDirectory);
        verb.Options.Add(_subnet);
        return verb;
    }

    private SandboxRequest Request(VerbContext context, IReadOnlyList<string>? with = null) => new(context.Get(_stateDirectory), context.Get(_subnet), with ?? [], context.Get(_images));

    private static void ShowUp(VerbContext context, SandboxState state) =>
        context.Output.Show(state, CliJson.Default.SandboxState, (output, s) => output.Line($"The cluster is up. Its kubeconfig: {s.Kubeconfig}"));

    private static void WriteState(Output output, SandboxState state)
    {
        if (!state.Running)
        {
            output.Line("The cluster is down. next: sudo fairlead sandbox up --with shop");
            return;
        }

        output.Line($"The cluster is up (pid {state.Pid}), {state.Server}");
        output.Line($"Kubeconfig {state.Kubeconfig}");
        if (state.Pods.Count == 0)
        {
            return;
        }

        output.Line("");
        var table = new Table("NAMESPACE", "POD", "STATUS", "RESTARTS", "ADDRESS");
        foreach (var pod in state.Pods)
        {
            table.Add(pod.Namespace, pod.Name, pod.Ready ? new Cell("Ready", Style.Good) : new Cell(pod.Phase, Style.Warning), $"{pod.Restarts}", pod.Address ?? "-");
        }

        output.Show(table);
    }
}
