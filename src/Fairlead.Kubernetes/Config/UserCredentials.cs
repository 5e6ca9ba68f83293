namespace Fairlead.Kubernetes;

/// <summary>Turns a kubeconfig user into a source of credentials, with kubectl's precedence: token before tokenFile before basic.</summary>
internal static class UserCredentials
{
    public static ICredentialSource From(NamedUser entry, ClusterEntry cluster, ClusterConnection connection)
    {
        var user = entry.User;
        var owner = $"user \"{entry.Name}\"";
        var certificate = new PemSource(owner, KubeConfig.Resolve(entry, user.ClientCertificate), user.ClientCertificateData);
        var key = new PemSource(owner, KubeConfig.Resolve(entry, user.ClientKey), user.ClientKeyData);
        if (certificate.IsEmpty != key.IsEmpty)
        {
            throw new KubeConfigException($"{owner} can't be used",
                certificate.IsEmpty ? "it has a client key but no client certificate" : "it has a client certificate but no client key",
                "Give both, or neither.");
        }

        if (user.AuthProvider is not null)
        {
            throw new KubeConfigException($"{owner} can't be used", "it has an auth-provider, which Kubernetes removed in 1.26",
                "Make the kubeconfig anew with the cloud's current tool, which writes an exec plugin.");
        }

        var context = certificate.IsEmpty ? null : Pem.ClientCertificate(certificate, key);
        if (user.Exec is not null)
        {
            return context is null && string.IsNullOrEmpty(user.Token)
                ? new ExecPlugin(ExecPluginOptions.From(entry, cluster, connection))
                : throw new KubeConfigException($"{owner} can't be used", "it has an exec plugin beside other credentials", "Remove one of them.");
        }

        if (!string.IsNullOrEmpty(user.Token))
        {
            return new FixedCredentials(new Credential(user.Token, context));
        }

        if (!string.IsNullOrEmpty(user.TokenFile))
        {
            return new TokenFileCredentials(KubeConfig.Resolve(entry, user.TokenFile)!, context);
        }

        return new FixedCredentials(new Credential(
            Certificate: context,
            Basic: string.IsNullOrEmpty(user.Username) ? null : $"{user.Username}:{user.Password}"));
    }
}
