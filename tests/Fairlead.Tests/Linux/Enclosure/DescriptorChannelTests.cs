using System.Diagnostics;
using System.Text;
using Fairlead.Linux.Enclosure;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Tests.Linux.Enclosure;

public sealed class DescriptorChannelTests
{
    [Fact]
    public void Open_file_arrives_with_the_bytes_that_it_was_sent_with()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "content");
        var (one, other) = DescriptorChannel.CreatePair();
        using (one)
        using (other)
        {
            using (var file = File.OpenHandle(path))
            {
                DescriptorChannel.Send(one, "hello"u8, [(int)file.DangerousGetHandle(), (int)file.DangerousGetHandle()]);
            }

            File.Delete(path);
            var buffer = new byte[100];
            var (length, descriptors) = DescriptorChannel.Receive(other, buffer);

            Encoding.ASCII.GetString(buffer, 0, length).ShouldBe("hello");
            descriptors.Count.ShouldBe(2);
            using var first = new SafeFileHandle(descriptors[0], ownsHandle: true);
            using var second = new SafeFileHandle(descriptors[1], ownsHandle: true);
            RandomAccess.GetLength(second).ShouldBe(7);
        }
    }

    [Fact]
    public void End_of_the_other_process_is_the_end_of_the_stream()
    {
        var (one, other) = DescriptorChannel.CreatePair();
        one.Dispose();
        using (other)
        {
            DescriptorChannel.Receive(other, new byte[10]).Length.ShouldBe(0);
        }
    }

    [Fact]
    public async Task End_of_a_process_is_noticed_and_one_that_is_gone_can_not_be_watched()
    {
        using var process = Process.Start(new ProcessStartInfo("cat") { UseShellExecute = false, RedirectStandardInput = true })!;
        using (var end = ProcessEnd.Watch(process.Id))
        {
            end.Ended.IsCompleted.ShouldBeFalse();
            process.StandardInput.Close();
            await end.Ended.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        }

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Should.Throw<Fairlead.Platform.HostException>(() => ProcessEnd.Watch(process.Id));
    }
}
