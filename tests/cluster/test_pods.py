"""Which pods the local overlay starts, and which pods its namespace rejects."""

import pytest

from cluster.pods import SIDECAR, Pods, is_ready
from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError

BAD_POD = """
apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: orderflow}
spec:
  containers:
    - name: bad
      image: orderflow/orders:dev
      securityContext: {privileged: true, runAsUser: 0}
"""


@pytest.mark.parametrize("app", LOCAL_PORTS)
def test_every_service_runs_with_its_sidecar(pods: Pods, app: str) -> None:
    """Each has one pod with two ready containers: the service and the injected daprd."""
    (pod,) = pods.of(app)
    assert is_ready(pod)
    ready = {each["name"]: each["ready"] for each in pod["status"]["containerStatuses"]}
    assert ready == {"app": True, SIDECAR: True}


def test_the_namespace_enforces_the_restricted_standard(api: Client) -> None:
    """The namespace has the label that makes Kubernetes reject the pod of the next test."""
    label = r"jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}"
    assert api.run("get", "namespace", "orderflow", "-o", label) == "restricted"


def test_a_privileged_pod_is_rejected(api: Client) -> None:
    """Pod Security rejects a privileged pod that runs as root, and says why."""
    with pytest.raises(PlatformError) as refused:
        api.run("create", "-f", "-", data=BAD_POD)
    words = str(refused.value)
    assert 'violates PodSecurity "restricted:latest"' in words
    assert "privileged" in words
    assert "runAsUser=0" in words
