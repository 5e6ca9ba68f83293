using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

/// <summary>CertificateSigningRequests (k8s.io/kubernetes/pkg/apis/certificates/validation).</summary>
internal static partial class CertificateValidation
{
    private const int ShortestSeconds = 600;

    private static readonly string[] Lasting = ["Approved", "Denied", "Failed"];

    private static readonly string[] Usages =
    [
        "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature",
        "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc",
        "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
    ];

    public static void Request(ObjectValidation request)
    {
        if (request.Old is null)
        {
            Spec(request.Value, request.Errors);
            return;
        }

        Conditions(request.Value, request.Errors);
        Changes(request);
        if (request.Value.Text("status", "certificate") is { Length: > 0 } certificate && SigningRequests.ProblemOfCertificate(certificate) is { } problem)
        {
            request.Errors.Invalid("status.certificate", "<certificate data>", problem);
        }
    }

    private static void Spec(JsonObject value, FieldErrors errors)
    {
        if (SigningRequests.ProblemOfRequest(value.Text("spec", "request")) is { } problem)
        {
            errors.Invalid("spec.request", value.At("spec", "request"), problem);
        }

        string[] usages = [.. value.Texts("spec", "usages")];
        if (usages.Length == 0)
        {
            errors.Required("spec.usages");
        }

        for (var i = 0; i < usages.Length; i++)
        {
            if (!Usages.Contains(usages[i]))
            {
                errors.Unsupported($"spec.usages[{i}]", usages[i], Usages);
            }
            else if (Array.IndexOf(usages, usages[i]) < i)
            {
                errors.Duplicate($"spec.usages[{i}]", usages[i]);
            }
        }

        switch (value.Text("spec", "signerName"))
        {
            case null or "":
                errors.Required("spec.signerName");
                break;
            case "kubernetes.io/legacy-unknown":
                errors.Invalid("spec.signerName", "kubernetes.io/legacy-unknown", "the legacy signerName is not allowed via this API version");
                break;
            case { } signer when signer.Split('/') is not [var domain, var path] || !domain.Contains('.') || !Names.IsSubdomain(domain) || !SignerPath().IsMatch(path):
                errors.Invalid("spec.signerName", signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
                break;
        }

        if (value.Number("spec", "expirationSeconds") is < ShortestSeconds and var seconds)
        {
            errors.Invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)");
        }
    }

    private static void Conditions(JsonObject value, FieldErrors errors)
    {
        var seen = new HashSet<string>();
        foreach (var (condition, at) in value.Maps("status", "conditions").Select((condition, index) => (condition, $"status.conditions[{index}]")))
        {
            var (type, status) = (condition.Text("type") ?? "", condition.Text("status") ?? "");
            if (type.Length == 0)
            {
                errors.Required($"{at}.type");
            }
            else if (!seen.Add(type))
            {
                errors.Duplicate($"{at}.type", type);
            }

            if (status.Length == 0)
            {
                errors.Required($"{at}.status");
            }
            else if (Lasting.Contains(type) ? status != "True" : status is not ("True" or "False" or "Unknown"))
            {
                errors.Unsupported($"{at}.status", status, Lasting.Contains(type) ? ["True"] : ["False", "True", "Unknown"]);
            }
        }

        if (seen.Contains("Approved") && seen.Contains("Denied"))
        {
            errors.Invalid("status.conditions", "Denied", "Approved and Denied conditions are mutually exclusive");
        }
    }

    private static void Changes(ObjectValidation request)
    {
        foreach (var type in Lasting)
        {
            var (before, after) = (Has(request.Old!, type), Has(request.Value, type));
            if (before && !after)
            {
                request.Errors.Forbidden("status.conditions", $"updates may not remove a condition of type \"{type}\"");
            }
            else if (!before && after && type != "Failed" && request.Subresource != "approval")
            {
                request.Errors.Forbidden("status.conditions", $"updates may not add a condition of type \"{type}\"");
            }
        }

        var (old, now) = (request.Old!.Text("status", "certificate") ?? "", request.Value.Text("status", "certificate") ?? "");
        if (old.Length > 0 && now != old)
        {
            request.Errors.Forbidden("status.certificate", "updates may not modify existing certificate content");
        }
    }

    private static bool Has(JsonObject value, string type) => value.Maps("status", "conditions").Any(condition => condition.Text("type") == type);

    [GeneratedRegex(@"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\z")]
    private static partial Regex SignerPath();
}
