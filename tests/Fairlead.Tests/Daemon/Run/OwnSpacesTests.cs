using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Run;
using Fairlead.Tests.Daemon.Fakes;

namespace Fairlead.Tests.Daemon.Run;

public sealed class OwnSpacesTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;
    private readonly FakeGateway gateway = new();

    public void Dispose()
    {
        gateway.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Space_that_was_joined_is_there_for_the_next_process_with_a_key_that_only_its_owner_reads()
    {
        await using (var spaces = Open())
        {
            (await spaces.JoinAsync(new JoinRequest(gateway.Token()), TestContext.Current.CancellationToken)).Subject.ShouldBe("invite:alice");
        }

        await using var next = Open();
        var listed = next.List().Spaces.ShouldHaveSingleItem();
        listed.InUse.ShouldBeTrue();
        next.Find(null).Record.Name.ShouldBe(listed.Name);
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            (OperatingSystem.IsWindows() || File.GetUnixFileMode(file) == (UnixFileMode.UserRead | UnixFileMode.UserWrite)).ShouldBeTrue(file);
        }
    }

    [Fact]
    public async Task Space_that_was_left_is_gone_with_its_key()
    {
        await using var spaces = Open();
        await spaces.JoinAsync(new JoinRequest(gateway.Token()), TestContext.Current.CancellationToken);

        await spaces.LeaveAsync(null, TestContext.Current.CancellationToken);

        spaces.List().Spaces.ShouldBeEmpty();
        Directory.EnumerateFiles(directory, "identity.pem", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public async Task Space_that_is_not_there_is_told_with_how_to_join()
    {
        await using var spaces = Open();
        var error = Should.Throw<FairleadException>(() => spaces.Find(null)).Error;
        error.Category.ShouldBe(ErrorCategory.NotConnected);
        error.Hint.ShouldNotBeNull().ShouldContain("fairlead join --for-run");

        await spaces.JoinAsync(new JoinRequest(gateway.Token()), TestContext.Current.CancellationToken);
        Should.Throw<FairleadException>(() => spaces.Find("another")).Error.Code.ShouldBe("space-unknown");
    }

    [Fact]
    public async Task Certificate_that_ran_out_since_the_last_command_is_renewed_before_the_gateway_is_greeted()
    {
        var time = await JoinAndWaitAsync(TimeSpan.FromDays(8));
        await using var later = Open(time);
        gateway.Links[^1].Set(LinkState.Connecting);

        await later.Find(null).RenewIfExpiredAsync(TestContext.Current.CancellationToken);

        gateway.Renewals.ShouldBe(1);
        later.Find(null).CertificateExpires.ShouldBeGreaterThan(time.GetUtcNow());
        await later.Find(null).RenewIfExpiredAsync(TestContext.Current.CancellationToken);
        gateway.Renewals.ShouldBe(1);
    }

    [Fact]
    public async Task Certificate_that_ran_out_and_is_not_renewed_is_told_with_the_gateways_reason()
    {
        var time = await JoinAndWaitAsync(TimeSpan.FromDays(8));
        await using var later = Open(time);
        gateway.Links[^1].Set(LinkState.Connecting);
        gateway.Refusal = new ErrorInfo(ErrorCategory.Denied, "revoked", "Access of invite:alice was revoked");

        var error = (await Should.ThrowAsync<FairleadException>(() => later.ConnectAsync(null, false, TimeSpan.FromSeconds(20), time, TestContext.Current.CancellationToken))).Error;

        (error.Category, error.Code).ShouldBe((ErrorCategory.Denied, "certificate-expired"));
        error.Why.ShouldNotBeNull().ShouldContain("Access of invite:alice was revoked");
    }

    /// <summary>A space that was joined, and then nothing that ran for so long.</summary>
    private async Task<ManualTime> JoinAndWaitAsync(TimeSpan pause)
    {
        var time = new ManualTime();
        gateway.Now = time.GetUtcNow();
        await using (var spaces = Open(time))
        {
            await spaces.JoinAsync(new JoinRequest(gateway.Token()), TestContext.Current.CancellationToken);
        }

        time.Advance(pause);
        gateway.Now = time.GetUtcNow();
        return time;
    }

    private OwnSpaces Open(TimeProvider? time = null) => OwnSpaces.Open(new OwnSpacesOptions(directory, 1000), new NoCluster(), (_, _) => gateway, time ?? TimeProvider.System);

    private sealed class NoCluster : IUserCluster
    {
        public Task<(Stream Stream, string Server)> OpenAsync(OpenCarrier wanted, CancellationToken cancellationToken) => throw new InvalidOperationException("no kubeconfig is needed");

        public Task<ClusterEnrolled> EnrolAsync(ClusterEnrolment wanted, CancellationToken cancellationToken) => throw new InvalidOperationException("no kubeconfig is needed");

        public void Dispose()
        {
        }
    }
}
