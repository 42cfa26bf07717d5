"""The programs of a cluster: Kubernetes, etcd, CoreDNS, helm and Dapr's control plane, pinned.

They are built in groups, so that `kubectl` does not have to wait for the kubelet.
"""

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderflow_tools.toolchain import dapr as dapr_toolchain
from orderflow_tools.toolchain import go_build
from orderflow_tools.toolchain.cache import cache_folder, key_of
from orderflow_tools.toolchain.go_build import BUILD_ENVIRONMENT, Build, Target
from orderflow_tools.toolchain.go_compiler import find_go

KUBERNETES_VERSION: Final = "1.35.4"
COREDNS_VERSION: Final = "1.12.2"
MODULE: Final = "kubernetes-toolchain"


def _kubernetes_flags() -> tuple[str, ...]:
    """Return the flags of a release, with the version that a server reports to its clients."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamped = {
        "gitVersion": f"v{KUBERNETES_VERSION}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    stamps = [f"-X {package}.{k}={v}" for package in packages for k, v in stamped.items()]
    return ("-trimpath", "-ldflags", " ".join(["-s -w", *stamps]))


_FLAGS: Final = _kubernetes_flags()


def _kubernetes(*names: str) -> tuple[Target, ...]:
    return tuple(Target(n, MODULE, f"k8s.io/kubernetes/cmd/{n}", _FLAGS) for n in names)


KUBECTL: Final = _kubernetes("kubectl")
CONTROL_PLANE: Final = (
    *_kubernetes("kube-apiserver", "kube-controller-manager"),
    Target("etcd", MODULE, "go.etcd.io/etcd/server/v3", _FLAGS),
)
NODE: Final = (
    *_kubernetes("kube-scheduler", "kubelet", "kube-proxy"),
    Target("helm", MODULE, "helm.sh/helm/v3/cmd/helm", _FLAGS),
    Target("coredns", MODULE, "./coredns", _FLAGS),
    Target("pause", MODULE, "./pause", _FLAGS),
)
DAPR: Final = tuple(
    Target(name, "runtime", f"{dapr_toolchain.COMMANDS}/{name}", dapr_toolchain.RUNTIME_FLAGS)
    # Unlike those of a local run, which report their health on loopback only, placement and
    # scheduler are built as Dapr releases them, so that a kubelet can check their health.
    for name in ("operator", "injector", "sentry", "placement", "scheduler")
)


@dataclass(frozen=True)
class Programs:
    """The paths of a cluster's programs."""

    kubectl: Path
    control_plane: Path
    node: Path
    dapr: Path
    daprd: Path


def find_kubectl(root: Path) -> Path:
    """Return the pinned kubectl, built if need be."""
    build = _build(root, "kubectl", f"kubectl {KUBERNETES_VERSION}", KUBECTL, "about 2 minutes")
    return go_build.build_once(build, cache_folder()) / "kubectl"


def find_control_plane(root: Path) -> Path:
    """Return the folder of the API server, the controllers and etcd, built if need be."""
    title = f"the control plane of Kubernetes {KUBERNETES_VERSION}"
    build = _build(root, "kube-control-plane", title, CONTROL_PLANE, "about 5 minutes")
    return go_build.build_once(build, cache_folder())


def find_programs(root: Path) -> Programs:
    """Return all programs of a cluster, built if need be, which takes a while."""
    kubectl, control_plane = find_kubectl(root), find_control_plane(root)
    node = _build(
        root, "kube-node", f"a node of Kubernetes {KUBERNETES_VERSION}", NODE, "about 2 minutes"
    )
    title = f"the control plane of Dapr {dapr_toolchain.RUNTIME_VERSION}"
    daprd = dapr_toolchain.built_runtime(root).daprd
    modules = root / "tools" / "dapr-toolchain"
    dapr = Build(
        title, f"dapr-control-plane-{_key(modules, DAPR)}", modules, DAPR, "about a minute"
    )
    cache = cache_folder()
    return Programs(
        kubectl=kubectl,
        control_plane=control_plane,
        node=go_build.build_once(node, cache),
        dapr=go_build.build_once(dapr, cache),
        daprd=daprd,
    )


def _build(root: Path, name: str, title: str, targets: tuple[Target, ...], cost: str) -> Build:
    modules = root / "lab"
    return Build(title, f"{name}-{_key(modules, targets)}", modules, targets, cost)


def _key(modules: Path, targets: tuple[Target, ...]) -> str:
    module = targets[0].module
    sources = [
        f"{module}/{target.package.removeprefix('./')}/main.go"
        for target in targets
        if target.package.startswith("./")
    ]
    files = [f"{module}/go.mod", f"{module}/go.sum", *sources]
    return key_of(modules, files, [targets, sorted(BUILD_ENVIRONMENT.items())])


def dapr_chart(root: Path) -> Path:
    """Return the folder of Dapr's Helm chart, with its resource definitions in `crds`."""
    modules = root / "tools" / "dapr-toolchain"
    cache = cache_folder()
    chart = cache / f"dapr-chart-{_key(modules, DAPR)}"
    if not chart.exists():
        go = find_go(cache, modules / "runtime" / "go.mod")
        output = go_build.lines(
            go, modules / "runtime", "mod", "download", "-json", dapr_toolchain.DAPR
        )
        source = Path(json.loads("".join(output))["Dir"]) / "charts" / "dapr"
        draft = chart.with_name(f"{chart.name}.{os.getpid()}")
        # The module cache is read-only; a copy that preserved the modes would be, too.
        shutil.copytree(source, draft, copy_function=shutil.copyfile)
        with contextlib.suppress(OSError):  # another clone may have been faster
            draft.rename(chart)
        shutil.rmtree(draft, ignore_errors=True)
    return chart
