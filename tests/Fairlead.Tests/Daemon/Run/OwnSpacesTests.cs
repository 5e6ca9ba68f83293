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

    private OwnSpaces Open() => OwnSpaces.Open(new OwnSpacesOptions(directory, 1000), new NoCluster(), (_, _) => gateway, TimeProvider.System);

    private sealed class NoCluster : IUserCluster
    {
        public Task<(Stream Stream, string Server)> OpenAsync(OpenCarrier wanted, CancellationToken cancellationToken) => throw new InvalidOperationException("no kubeconfig is needed");

        public Task<ClusterEnrolled> EnrolAsync(ClusterEnrolment wanted, CancellationToken cancellationToken) => throw new InvalidOperationException("no kubeconfig is needed");

        public void Dispose()
        {
        }
    }
}
