using Fairlead.Sandbox.Hosting;

namespace Fairlead.Tests.Sandbox.Hosting;

public sealed class PrivateMountsTests
{
    [Fact]
    public void Only_data_file_systems_outside_of_the_containers_own_places_are_taken() => PrivateMounts.HostMounts("""
        21 1 8:1 / / rw - ext4 /dev/sda1 rw
        22 21 0:20 / /proc rw - proc proc rw
        23 21 8:2 / /home rw shared:1 - xfs /dev/sda2 rw
        24 23 8:3 / /home/with\040space rw - ext4 /dev/sda3 rw
        25 21 0:21 / /run rw - tmpfs tmpfs rw
        26 21 8:4 / /run/media rw - ext4 /dev/sda4 rw
        27 21 0:22 / /opt rw - tmpfs tmpfs rw
        28 21 8:5 / /running rw - ext4 /dev/sda5 rw
        broken line
        """).ShouldBe(["/home", "/home/with space", "/running"]);
}
