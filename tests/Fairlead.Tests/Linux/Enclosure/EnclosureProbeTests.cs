using Fairlead.Linux.Enclosure;

namespace Fairlead.Tests.Linux.Enclosure;

public sealed class EnclosureProbeTests
{
    [Theory]
    [InlineData("user/max_user_namespaces", "0", "user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=65536")]
    [InlineData("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1")]
    [InlineData("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns is 1", "docs/run.md")]
    public void Refusal_is_explained_by_the_setting_that_causes_it(string setting, string value, string reason, string hint)
    {
        var obstacle = EnclosureProbe.Explain("unshare: unshare failed: Operation not permitted", name => name == setting ? value : null);

        obstacle.Reason.ShouldContain(reason);
        obstacle.Hint.ShouldContain(hint);
    }

    [Fact]
    public void Refusal_for_another_reason_is_told_in_the_kernels_words()
    {
        var obstacle = EnclosureProbe.Explain("unshare: unshare failed: Operation not permitted", name => name == "user/max_user_namespaces" ? "5000" : null);

        obstacle.Reason.ShouldBe("unshare: unshare failed: Operation not permitted");
        obstacle.Hint.ShouldContain("seccomp");
    }

    [Fact]
    public void Too_many_namespaces_and_an_old_unshare_are_told_apart()
    {
        EnclosureProbe.Explain("unshare: unshare failed: No space left on device", name => name == "user/max_user_namespaces" ? "128" : null).Reason.ShouldContain("user.max_user_namespaces is 128");
        EnclosureProbe.Explain("unshare: unrecognized option '--map-current-user'", _ => null).Hint.ShouldContain("util-linux 2.36");
    }
}
