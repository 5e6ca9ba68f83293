using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

internal static class AccessDefaults
{
    public static void Binding(JsonObject binding)
    {
        const string group = "rbac.authorization.k8s.io";
        binding.Map("roleRef")?.Default("apiGroup", group);
        foreach (var subject in binding.Maps("subjects"))
        {
            if (subject.Text("kind") is "User" or "Group")
            {
                subject.Default("apiGroup", group);
            }
        }
    }
}
