using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Sandbox;

/// <summary>Pods as processes, seen with kubectl.</summary>
public sealed class SandboxPodTests(OwnSandbox sandbox) : IClassFixture<OwnSandbox>
{
    [Fact]
    public async Task Pod_sees_its_own_root_processes_identity_volumes_and_environment()
    {
        await sandbox.NamespaceAsync("own");
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: settings, namespace: own}
            data: {COLOUR: blue, app.conf: "a=1\n"}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: own, namespace: own}
            spec:
              terminationGracePeriodSeconds: 0
              securityContext: {runAsUser: 4711, runAsGroup: 4712, fsGroup: 4713}
              volumes:
              - {name: settings, configMap: {name: settings}}
              - {name: scratch, emptyDir: {}}
              initContainers:
              - {name: first, image: host, command: [sh, -c, 'echo made-by-init > /scratch/file'], volumeMounts: [{name: scratch, mountPath: /scratch}]}
              containers:
              - name: main
                image: host
                command: [sleep, infinity]
                securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
                envFrom: [{configMapRef: {name: settings}}]
                env: [{name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: URL, value: 'http://$(ADDRESS)/$(COLOUR)/$(NONE)'}]
                volumeMounts: [{name: settings, mountPath: /etc/settings}, {name: scratch, mountPath: /scratch}]
            """);
        (await sandbox.KubectlAsync("wait", "-n", "own", "--for=condition=Ready", "pod/own", "--timeout=20s")).ShouldSucceed();
        async Task<string> InAsync(string script) => (await sandbox.InPodAsync("own", "own", script)).Text;
        var address = (await sandbox.KubectlAsync("get", "pod", "-n", "own", "own", "-o", "jsonpath={.status.podIP}")).Text;

        (await InAsync("id -u; id -g; id -G")).ShouldBe("4711\n4712\n4712 4713");
        (await InAsync("grep -E 'NoNewPrivs|CapBnd' /proc/self/status | tr -d '\\t'")).ShouldBe("CapBnd:0000000000000000\nNoNewPrivs:1");
        (await InAsync("cat /proc/1/comm; hostname")).ShouldBe("sleep\nown");
        (await InAsync("echo $URL")).ShouldBe($"http://{address}/blue/$(NONE)");
        (await InAsync("cat /scratch/file /etc/settings/app.conf")).ShouldBe("made-by-init\na=1");
        (await InAsync("touch /scratch/x; ls /scratch; grep -oE '^overlay / overlay r.' /proc/self/mounts")).ShouldBe("file\nx\noverlay / overlay ro");
        (await InAsync("ls /var/lib/fairlead-sandbox | wc -l; cut -c1-2 /var/run/secrets/kubernetes.io/serviceaccount/token")).ShouldBe("0\ney");
        (await InAsync("curl -sS --max-time 5 --cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt https://kubernetes.default.svc/version | grep -c gitVersion")).ShouldBe("1");

        (await sandbox.KubectlAsync("patch", "configmap", "settings", "-n", "own", "-p", "{\"data\":{\"app.conf\":\"a=2\\n\"}}")).ShouldSucceed();
        await Shell.EventuallyAsync("the mounted file follows its ConfigMap", async () => await InAsync("cat /etc/settings/app.conf") == "a=2");
    }

    [Fact]
    public async Task Pod_may_open_as_many_files_as_a_container_runtime_lets_it()
    {
        await sandbox.NamespaceAsync("files");
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: files, namespace: files}
            spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: host, command: [sleep, infinity]}]}
            """);
        (await sandbox.KubectlAsync("wait", "-n", "files", "--for=condition=Ready", "pod/files", "--timeout=20s")).ShouldSucceed();

        // Or as many as this machine lets root, which may itself lack the right to raise a limit.
        var most = (await sandbox.Host.ShellAsync("ulimit -n 1048576 2> /dev/null; ulimit -Hn")).Text;
        (await sandbox.InPodAsync("files", "files", "ulimit -Sn; ulimit -Hn; awk '/open files/ { print $4, $5 }' /proc/1/limits")).Text.ShouldBe($"{most}\n{most}\n{most} {most}");
    }

    [Fact]
    public async Task Failing_container_backs_off_and_restarts_and_a_failed_liveness_probe_restarts_it()
    {
        await sandbox.NamespaceAsync("restarts");
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: fails, namespace: restarts}
            spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: host, command: [sh, -c, 'echo failing; exit 3']}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: sick, namespace: restarts}
            spec:
              terminationGracePeriodSeconds: 0
              containers:
              - {name: c, image: host, command: [sleep, infinity], livenessProbe: {tcpSocket: {port: 9}, periodSeconds: 1, failureThreshold: 1}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: unknown, namespace: restarts}
            spec: {containers: [{name: c, image: 'no/such:1'}]}
            """);
        async Task<string> GetAsync(string pod, string path) =>
            (await sandbox.KubectlAsync("get", "pod", "-n", "restarts", pod, "-o", $"jsonpath={{{path}}}")).Text;

        await Shell.EventuallyAsync("it is restarted", async () => int.Parse(await GetAsync("fails", ".status.containerStatuses[0].restartCount")) >= 2);
        (await GetAsync("fails", ".status.containerStatuses[0].lastState.terminated.exitCode")).ShouldBe("3");
        (await sandbox.KubectlAsync("logs", "-n", "restarts", "fails", "--previous")).Text.ShouldBe("failing");
        await Shell.EventuallyAsync("the probe restarts it", async () => int.Parse(await GetAsync("sick", ".status.containerStatuses[0].restartCount")) >= 1);
        await Shell.EventuallyAsync("an unknown image is said to be one", async () =>
            (await GetAsync("unknown", ".status.containerStatuses[0].state.waiting.reason")) is "ErrImagePull" or "ImagePullBackOff");
    }

    [Fact]
    public async Task Ephemeral_container_shares_the_processes_of_its_target()
    {
        await sandbox.NamespaceAsync("debug");
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: app, namespace: debug}
            spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: host, command: [sleep, '98765']}]}
            """);
        (await sandbox.KubectlAsync("wait", "-n", "debug", "--for=condition=Ready", "pod/app", "--timeout=20s")).ShouldSucceed();

        (await sandbox.KubectlAsync("debug", "-n", "debug", "app", "--image=host", "--target=c", "-c", "look", "--", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline; ls -d /proc/1/root/etc")).ShouldSucceed();

        await Shell.EventuallyAsync("it has looked", async () => (await sandbox.KubectlAsync("logs", "-n", "debug", "app", "-c", "look")).Output.Contains("sleep 98765"));
        (await sandbox.KubectlAsync("get", "pod", "-n", "debug", "app", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")).Text.ShouldBe("0");
    }

    [Fact]
    public async Task Stateful_set_keeps_names_and_data_over_a_restart()
    {
        await sandbox.NamespaceAsync("state");
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: state}
            spec: {clusterIP: None, selector: {app: db}, ports: [{name: main, port: 1}]}
            ---
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: db, namespace: state}
            spec:
              serviceName: db
              replicas: 2
              selector: {matchLabels: {app: db}}
              template:
                metadata: {labels: {app: db}}
                spec:
                  terminationGracePeriodSeconds: 0
                  containers: [{name: c, image: host, command: [sleep, infinity], volumeMounts: [{name: data, mountPath: /data}]}]
              volumeClaimTemplates:
              - metadata: {name: data}
                spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
            """);
        (await sandbox.KubectlAsync("rollout", "status", "statefulset/db", "-n", "state", "--timeout=30s")).ShouldSucceed();
        (await sandbox.InPodAsync("state", "db-1", "echo kept > /data/file")).ShouldSucceed();

        (await sandbox.KubectlAsync("rollout", "restart", "statefulset/db", "-n", "state")).ShouldSucceed();
        (await sandbox.KubectlAsync("rollout", "status", "statefulset/db", "-n", "state", "--timeout=30s")).ShouldSucceed();

        (await sandbox.InPodAsync("state", "db-1", "cat /data/file")).Text.ShouldBe("kept");
        var address = (await sandbox.KubectlAsync("get", "pod", "-n", "state", "db-1", "-o", "jsonpath={.status.podIP}")).Text;
        await Shell.EventuallyAsync("the name leads to the new pod", async () =>
            (await sandbox.InPodAsync("state", "db-0", "getent hosts db-1.db | cut -d' ' -f1")).Output.Trim() == address);
    }

    [Fact]
    public async Task Deployment_rolls_over_without_a_gap_and_rolls_back_to_the_same_set()
    {
        await sandbox.NamespaceAsync("roll");
        await sandbox.ApplyAsync("""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, namespace: roll}
            spec:
              replicas: 2
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: host, command: [sleep, infinity]}]}
            """);
        async Task<string> SetAsync() =>
            (await sandbox.KubectlAsync("get", "replicasets", "-n", "roll", "-o", "jsonpath={.items[?(@.spec.replicas==2)].metadata.name}")).Text;
        (await sandbox.KubectlAsync("rollout", "status", "deployment/web", "-n", "roll", "--timeout=30s")).ShouldSucceed();
        var first = await SetAsync();

        (await sandbox.KubectlAsync("rollout", "restart", "deployment/web", "-n", "roll")).ShouldSucceed();
        (await sandbox.KubectlAsync("rollout", "status", "deployment/web", "-n", "roll", "--timeout=30s")).ShouldSucceed();
        (await SetAsync()).ShouldNotBe(first);

        (await sandbox.KubectlAsync("rollout", "undo", "deployment/web", "-n", "roll")).ShouldSucceed();
        (await sandbox.KubectlAsync("rollout", "status", "deployment/web", "-n", "roll", "--timeout=30s")).ShouldSucceed();
        (await SetAsync()).ShouldBe(first);

        (await sandbox.KubectlAsync("delete", "namespace", "roll", "--timeout=20s")).ShouldSucceed();
        (await sandbox.KubectlAsync("get", "pods", "-n", "roll", "--no-headers")).Output.ShouldBeEmpty();
    }
}
