"""Certificates, configuration files and command lines of the cluster's programs."""

import json
import subprocess
from pathlib import Path

import yaml
from kubernetes.programs import CNI

NODE, NODE_ADDRESS = "node-1", "172.30.47.1"
CLASS, VOLUMES = "node", 40
PODS, SERVICES = "10.244.0.0/24", "10.96.0.0/16"
NAMES = "10.96.0.10"
"""The address of the cluster's name server, CoreDNS."""
PAUSE = "localhost/pause:3.10"
"""The name under which containerd has the program of pause.py; another program needs another name."""
ETCD = "http://127.0.0.1:12379"


def write(root: Path, run: Path, token: str) -> None:
    """Write all files into the folder of this run. `root`: what stays there for the next run."""
    _certificates(run / "pki", token)
    (run / "containerd.toml").write_text(_containerd(root, run))
    _dump(run / "cni" / "10-pods.conflist", _network())
    _dump(run / "kubeconfig", _kubeconfig(run, token))
    _dump(run / "kubelet.yaml", _kubelet(run))
    (run / "Corefile").write_text(
        f".:5353 {{\n  bind {NODE_ADDRESS}\n  kubernetes cluster.local in-addr.arpa {{\n"
        f"    kubeconfig {run}/kubeconfig civildiy-test\n  }}\n  cache 5\n}}\n"
    )
    (run / "cluster.yaml").write_text(
        "---\n".join(yaml.safe_dump(found) for found in [*_objects(), *_volumes(run)])
    )


def _dump(file: Path, document: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document))  # YAML contains JSON; the network plugins read JSON only


def _certificates(folder: Path, token: str) -> None:
    folder.mkdir(parents=True)
    subject = "/CN=apiserver-kubelet-client"
    for words in (
        "genrsa -out sa.key 2048", "rsa -in sa.key -pubout -out sa.pub",
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=local-ca -days 30",
        f"req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj {subject}",
        "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out client.crt",
    ):  # fmt: skip
        subprocess.run(["openssl", *words.split()], cwd=folder, capture_output=True, check=True)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},admin,admin,"system:masters"\n')


def _containerd(root: Path, run: Path) -> str:
    """Images stay in `root`. Without CAP_SYS_RESOURCE no process may get a negative oom_score_adj."""
    return f"""version = 2
root = "{root}/containerd"
state = "{run}/containerd"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{run}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def _network() -> dict[str, object]:
    """Each pod has a link of its own to the node, so that all packets pass through the node's rules."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": addresses},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}


def _kubeconfig(run: Path, token: str) -> dict[str, object]:
    cluster = {"server": f"https://{NODE_ADDRESS}:16443", "certificate-authority": f"{run}/pki/apiserver.crt"}
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "civildiy-test",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "civildiy-test", "context": {"cluster": "here", "user": "admin"}}],
    }  # fmt: skip


def _kubelet(run: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False}, "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{run}/pki/ca.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs", "failSwapOn": False,
        "failCgroupV1": False,  # from 1.35 on, version 1 of cgroups is refused unless this is set
        "containerRuntimeEndpoint": f"unix://{run}/containerd.sock",
        "resolvConf": "/dev/null", "podLogsDir": f"{run}/pods",
        "clusterDNS": [NAMES], "clusterDomain": "cluster.local",
        # A test machine's disk may be nearly full: that is no reason to evict pods.
        "evictionHard": {"memory.available": "100Mi"}, "imageGCHighThresholdPercent": 100,
    }  # fmt: skip


def _objects() -> list[dict[str, object]]:
    """Return the name server's Service, and the default class of volumes."""
    ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
    return [
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {
                "clusterIP": NAMES,
                "ports": [{"name": n, "port": 53, "targetPort": 5353, "protocol": p} for n, p in ports],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": "kube-dns-node", "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "ports": [{"name": n, "port": 5353, "protocol": p} for n, p in ports],
            "endpoints": [{"addresses": [NODE_ADDRESS]}],
        },
        {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
            "metadata": {
                "name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
        },
    ]  # fmt: skip


def _volumes(run: Path) -> list[dict[str, object]]:
    """Return folders of the node as volumes. One that was used is not used again."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    found: list[dict[str, object]] = []
    for number in range(VOLUMES):
        folder = run / "volumes" / str(number)
        folder.mkdir(parents=True)
        spec = {
            "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": CLASS,
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        }  # fmt: skip
        name = f"node-{number}"
        found.append(
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
        )
    return found


def etcd(run: Path) -> list[str]:
    """Return etcd's options. Nothing is kept beyond the run, so it need not wait for the disk."""
    return [
        f"--data-dir={run}/etcd", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:12380", "--unsafe-no-fsync",
    ]  # fmt: skip


def apiserver(run: Path) -> list[str]:
    """Return the API server's options."""
    pki = run / "pki"
    return [
        f"--etcd-servers={ETCD}", f"--cert-dir={pki}", "--secure-port=16443", "--bind-address=0.0.0.0",
        f"--advertise-address={NODE_ADDRESS}", f"--service-cluster-ip-range={SERVICES}",
        "--service-account-issuer=https://local", f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key", "--authorization-mode=Node,RBAC",
        f"--token-auth-file={pki}/tokens.csv", f"--kubelet-client-certificate={pki}/client.crt",
        f"--kubelet-client-key={pki}/client.key", "--kubelet-preferred-address-types=InternalIP",
    ]  # fmt: skip


def controller_manager(run: Path) -> list[str]:
    """Return the controller manager's options."""
    return [
        f"--kubeconfig={run}/kubeconfig", f"--service-account-private-key-file={run}/pki/sa.key",
        f"--root-ca-file={run}/pki/apiserver.crt", "--leader-elect=false", "--bind-address=127.0.0.1",
    ]  # fmt: skip


def proxy(run: Path) -> list[str]:
    """Return kube-proxy's options. Only the machine's own network may set the size of the table."""
    return [
        f"--kubeconfig={run}/kubeconfig", f"--cluster-cidr={PODS}", "--proxy-mode=iptables",
        "--bind-address=127.0.0.1", "--metrics-bind-address=127.0.0.1:10249", f"--hostname-override={NODE}",
        "--conntrack-max-per-core=0", "--iptables-min-sync-period=100ms",
    ]  # fmt: skip


def kubelet(run: Path) -> list[str]:
    """Return the kubelet's options."""
    return [
        f"--config={run}/kubelet.yaml", f"--kubeconfig={run}/kubeconfig", f"--root-dir={run}/kubelet",
        f"--cert-dir={run}/pki", f"--node-ip={NODE_ADDRESS}", f"--hostname-override={NODE}",
    ]  # fmt: skip
