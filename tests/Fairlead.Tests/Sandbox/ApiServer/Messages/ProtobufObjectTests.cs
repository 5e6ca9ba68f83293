using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Messages;

namespace Fairlead.Tests.Sandbox.ApiServer.Messages;

public sealed class ProtobufObjectTests
{
    [Fact]
    public void Decode_reads_maps_text_and_bytes()
    {
        byte[] labels = [.. Text(1, "app"), .. Text(2, "web")];
        byte[] noTime = [0x08, 0x00, 0x10, 0x00];
        byte[] metadata = [.. Text(1, "s"), .. Text(3, ""), .. Field(8, noTime), .. Field(11, labels)];
        byte[] data = [.. Text(1, "k"), .. Field(2, [1, 2, 3])];

        var secret = Decode("v1", "Secret", [.. Field(1, metadata), .. Field(2, data), .. Text(3, "Opaque")]);

        secret.ShouldBeJson("""
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"app": "web"}}, "data": {"k": "AQID"}, "type": "Opaque"}
            """);
    }

    [Fact]
    public void Decode_keeps_a_zero_that_was_set()
    {
        byte[] replicas = [0x08, 0x00]; // A pointer: 0 means none at all.
        var emptyDirectory = Field(2, Field(2, [])); // Its message stands inline in the volume's.
        var pod = Field(2, Field(1, [.. Text(1, "v"), .. emptyDirectory]));

        var deployment = Decode("apps/v1", "Deployment", Field(2, [.. replicas, .. Field(3, pod)]));

        deployment["spec"].ShouldBeJson("""{"replicas": 0, "template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}}""");
    }

    [Fact]
    public void Decode_reads_ports_that_are_numbers_or_names()
    {
        byte[] number = [0x18, 80, .. Field(4, [0x08, 0x00, 0x10, 0x90, 0x3f, .. Text(3, "")])];
        byte[] name = [0x18, 81, .. Field(4, [0x08, 0x01, 0x10, 0x00, .. Text(3, "http")])];

        Decode("v1", "Service", Field(2, [.. Field(1, number), .. Field(1, name)]))["spec"].ShouldBeJson(
            """{"ports": [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "http"}]}""");
    }

    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 1, 2, 3, 4 })]
    [InlineData(new byte[] { 0x6b, 0x38, 0x73, 0, 0x12, 0xff, 0xff, 0xff, 0xff, 0x7f })]
    [InlineData(new byte[] { 0x6b, 0x38, 0x73, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff })]
    [InlineData(new byte[] { 0x6b, 0x38, 0x73, 0, 0x0b })]
    public void Decode_of_garbage_is_refused(byte[] body) => Should.Throw<StatusException>(() => ProtobufObject.Decode(body)).Code.ShouldBe(400);

    [Fact]
    public void Decode_never_drops_a_field_that_it_does_not_know() =>
        Should.Throw<StatusException>(() => Decode("v1", "ConfigMap", Text(99, "x"))).Message.ShouldContain("field 99 of the protobuf message ConfigMap");

    [Fact]
    public void Decode_of_an_unknown_kind_is_refused() =>
        Should.Throw<StatusException>(() => Decode("v1", "Gadget", [])).Message.ShouldContain("protobuf message Gadget");

    private static JsonObject Decode(string apiVersion, string kind, byte[] message) =>
        ProtobufObject.Decode([.. "k8s\0"u8, .. Field(1, [.. Text(1, apiVersion), .. Text(2, kind)]), .. Field(2, message)]);

    private static byte[] Text(int number, string text) => Field(number, Encoding.UTF8.GetBytes(text));

    private static byte[] Field(int number, byte[] content)
    {
        content.Length.ShouldBeLessThan(128);
        var tag = (number << 3) | 2;
        return tag < 128 ? [(byte)tag, (byte)content.Length, .. content] : [(byte)((tag & 0x7f) | 0x80), (byte)(tag >> 7), (byte)content.Length, .. content];
    }
}
