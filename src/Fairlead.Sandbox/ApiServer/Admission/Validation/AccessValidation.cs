namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

internal static class AccessValidation
{
    private static readonly string[] SubjectKinds = ["Group", "ServiceAccount", "User"];

    public static void Binding(ObjectValidation binding)
    {
        var (value, errors) = (binding.Value, binding.Errors);
        if (value.Text("roleRef", "kind") is not ("Role" or "ClusterRole"))
        {
            errors.Unsupported("roleRef.kind", value.At("roleRef", "kind"), ["ClusterRole", "Role"]);
        }

        if (string.IsNullOrEmpty(value.Text("roleRef", "name")))
        {
            errors.Required("roleRef.name");
        }

        binding.Immutable("cannot change roleRef", "roleRef");
        foreach (var (subject, at) in value.Maps("subjects").Select((subject, index) => (subject, $"subjects[{index}]")))
        {
            if (string.IsNullOrEmpty(subject.Text("name")))
            {
                errors.Required($"{at}.name");
            }

            if (subject.Text("kind") is not { } kind || !SubjectKinds.Contains(kind))
            {
                errors.Unsupported($"{at}.kind", subject["kind"], SubjectKinds);
            }
            else if (kind == "ServiceAccount" && string.IsNullOrEmpty(subject.Text("namespace")))
            {
                errors.Required($"{at}.namespace");
            }
        }
    }
}
