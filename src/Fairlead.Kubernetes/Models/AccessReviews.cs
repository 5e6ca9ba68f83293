namespace Fairlead.Kubernetes.Models;

/// <summary>The question whether somebody may do something; the answer is in <see cref="Status"/> (authorization.k8s.io/v1).</summary>
public sealed class SubjectAccessReview : KubeObject
{
    public SubjectAccessReviewSpec Spec { get; set => field = value ?? new(); } = new();

    public SubjectAccessReviewStatus? Status { get; set; }
}

/// <summary>Who, by user name, groups, uid and extra as the API server knows them, and what. Without a user: whoever asks (SelfSubjectAccessReview).</summary>
public sealed class SubjectAccessReviewSpec
{
    public string? User { get; set; }

    public string? Uid { get; set; }

    public IReadOnlyList<string> Groups { get; set => field = value ?? []; } = [];

    public Dictionary<string, IReadOnlyList<string>> Extra { get; set => field = value ?? []; } = [];

    public ResourceAttributes ResourceAttributes { get; set => field = value ?? new(); } = new();
}

public sealed class ResourceAttributes
{
    /// <summary>Null: in all of them.</summary>
    public string? Namespace { get; set; }

    public string Verb { get; set; } = "";

    public string? Group { get; set; }

    public string Resource { get; set; } = "";

    public string? Subresource { get; set; }

    public string? Name { get; set; }
}

public sealed class SubjectAccessReviewStatus
{
    public bool Allowed { get; set; }

    public string? Reason { get; set; }

    public string? EvaluationError { get; set; }
}
