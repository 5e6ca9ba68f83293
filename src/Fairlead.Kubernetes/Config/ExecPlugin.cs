using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes;

/// <summary>
/// Credentials from a command (kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins). What it
/// answers is kept until it expires or the server rejects it; only one run at a time.
/// </summary>
#pragma warning disable CA1001 // a semaphore whose wait handle is never taken holds nothing to dispose
internal sealed class ExecPlugin(ExecPluginOptions options) : ICredentialSource
#pragma warning restore CA1001
{
    /// <summary>A token that expires while the request travels helps nobody.</summary>
    private static readonly TimeSpan ExpiryMargin = TimeSpan.FromSeconds(10);

    /// <summary>Long enough for a plugin that opens a browser, short enough to end one that hangs.</summary>
    private static readonly TimeSpan RunLimit = TimeSpan.FromMinutes(5);

    private const int MaxOutput = 1024 * 1024;

    private readonly SemaphoreSlim _oneRun = new(1, 1);
    private volatile Answer? _answer;

    public async ValueTask<Credential> GetAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        if (Fresh(time) is { } cached)
        {
            return cached;
        }

        await _oneRun.WaitAsync(cancellationToken);
        try
        {
            if (Fresh(time) is { } made)
            {
                return made;
            }

            var answer = Parse(await RunAsync(time, cancellationToken));
            _answer = answer;
            return answer.Credential;
        }
        finally
        {
            _oneRun.Release();
        }
    }

    public bool Reject(Credential credential)
    {
        if (_answer is { } answer && answer.Credential == credential)
        {
            _answer = null;
        }

        return true;
    }

    private string What => $"the exec plugin {options.Command} of user \"{options.User}\" gave no credentials";

    private Credential? Fresh(TimeProvider time) =>
        _answer is { } answer && (answer.Expires is null || time.GetUtcNow() + ExpiryMargin < answer.Expires) ? answer.Credential : null;

    private async Task<string> RunAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        var terminal = !Console.IsInputRedirected;
        if (options.Interactive == InteractiveMode.Always && !terminal)
        {
            throw new KubeConfigException(What, "it must ask a person, and standard input is not a terminal",
                $"Run {options.Command} in a terminal first, or use a plugin with interactiveMode IfAvailable.");
        }

        var interactive = options.Interactive != InteractiveMode.Never && terminal;
        using var process = Start(interactive);
        using var limit = new CancellationTokenSource(RunLimit, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        var errors = interactive ? Task.FromResult("") : ReadAsync(process.StandardError, stop.Token);
        try
        {
            if (!interactive)
            {
                process.StandardInput.Close();
            }

            var output = await ReadAsync(process.StandardOutput, stop.Token);
            var complaint = await errors;
            await process.WaitForExitAsync(stop.Token);
            return process.ExitCode == 0
                ? output
                : throw new KubeConfigException(What, $"it exited with {process.ExitCode}{Excerpt(complaint)}",
                    "Run it by hand to see more, then try again.");
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new KubeConfigException(What, $"it ran for more than {RunLimit.TotalMinutes:0} minutes", "Run it by hand to see what it waits for.");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                await ((Task)errors).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private Process Start(bool interactive)
    {
        var start = new ProcessStartInfo(options.Command, options.Arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = !interactive,
            RedirectStandardError = !interactive,
            UseShellExecute = false,
        };
        foreach (var (name, value) in options.Environment)
        {
            start.Environment[name] = value;
        }

        var spec = new JsonObject { ["interactive"] = interactive };
        if (options.Cluster is not null)
        {
            spec["cluster"] = options.Cluster.DeepClone();
        }

        start.Environment["KUBERNETES_EXEC_INFO"] = new JsonObject
        {
            ["apiVersion"] = options.ApiVersion,
            ["kind"] = "ExecCredential",
            ["spec"] = spec,
        }.ToJsonString();
        try
        {
            return Process.Start(start) ?? throw new InvalidOperationException("no process was started");
        }
        catch (Win32Exception e)
        {
            throw new KubeConfigException(What, $"it can't be started ({e.Message})",
                string.IsNullOrEmpty(options.InstallHint) ? $"Install {options.Command}, or put it in PATH." : options.InstallHint.Trim(), e);
        }
    }

    private async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            if (text.Length + read > MaxOutput)
            {
                throw new KubeConfigException(What, "it printed more than 1 MiB", "Run it by hand to see what it prints.");
            }

            text.Append(buffer, 0, read);
        }

        return text.ToString();
    }

    private Answer Parse(string output)
    {
        ExecCredential credential;
        try
        {
            credential = JsonSerializer.Deserialize(output, ExecCredentialJson.Default.ExecCredential)!;
        }
        catch (JsonException e)
        {
            throw Unusable("what it printed is not an ExecCredential in JSON", e);
        }

        if (credential?.Kind != "ExecCredential" || credential.ApiVersion != options.ApiVersion)
        {
            throw Unusable($"it answered {credential?.ApiVersion}/{credential?.Kind}, not {options.ApiVersion}/ExecCredential");
        }

        var status = credential.Status ?? throw Unusable("its answer has no status");
        var hasCertificate = !string.IsNullOrEmpty(status.ClientCertificateData);
        if (hasCertificate == string.IsNullOrEmpty(status.ClientKeyData))
        {
            throw Unusable("its answer has a client certificate without a key, or a key without a certificate");
        }

        if (!hasCertificate && string.IsNullOrEmpty(status.Token))
        {
            throw Unusable("its answer has neither a token nor a client certificate");
        }

        // Unlike in a kubeconfig, the PEM here is not base64.
        var certificate = hasCertificate
            ? Pem.ClientCertificate(Inline(status.ClientCertificateData!), Inline(status.ClientKeyData!))
            : null;
        return new Answer(
            new Credential(string.IsNullOrEmpty(status.Token) ? null : status.Token, certificate),
            status.ExpirationTimestamp);
    }

    private PemSource Inline(string pem) => new($"user \"{options.User}\"", File: null, Convert.ToBase64String(Encoding.UTF8.GetBytes(pem)));

    private KubeConfigException Unusable(string why, Exception? inner = null) => new(What, why, "Run it by hand to see what it prints, or update it.", inner);

    private static string Excerpt(string complaint)
    {
        var text = complaint.Trim();
        return text.Length == 0 ? "" : $" and said: {(text.Length <= 500 ? text : text[..500] + "…")}";
    }

    private sealed record Answer(Credential Credential, DateTimeOffset? Expires);
}

internal sealed record ExecCredential(string? ApiVersion, string? Kind, ExecCredentialStatus? Status);

internal sealed record ExecCredentialStatus(string? Token, string? ClientCertificateData, string? ClientKeyData, DateTimeOffset? ExpirationTimestamp);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ExecCredential))]
internal sealed partial class ExecCredentialJson : JsonSerializerContext;
