"""What is given to a cluster, as kubectl renders it, and what is wrong with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import PROJECT

KUBERNETES = PROJECT / "deployments" / "kubernetes"
OVERLAYS = ("base", "overlays/example", "overlays/jobs")
SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|AUTH_STRING|LEDGER_URL|CONNECTION_URL)$")
NAMES_A_SECRET = re.compile(r"_SECRET_(NAME|KEY)$")
POLICIES = "NetworkPolicy"

Object = dict[str, Any]


@cache
def _rendered(folder: Path) -> str:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl to render with")
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(overlay: str) -> list[Object]:
    """The objects of an overlay, new ones each time; skips where there is no kubectl."""
    return [each for each in YAML(typ="safe").load_all(_rendered(KUBERNETES / overlay)) if each]


def called(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """The name and the pod of whatever runs one."""
    for each in objects:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]


def containers(pod: Object) -> Iterator[Object]:
    yield from pod["spec"].get("initContainers", ())
    yield from pod["spec"]["containers"]


def holds_a_secret(name: str, value: object) -> bool:
    """Whether a variable is one that has a secret, and has it here as it is."""
    return bool(value and SECRET.search(name) and not NAMES_A_SECRET.search(name))


def faults(pod: Object, *, token: bool = False) -> list[str]:
    """What of a pod is less than Kubernetes' own restricted standard, or than ours."""
    spec = pod["spec"]
    secured: Mapping[str, Any] = spec.get("securityContext", {})
    found = {
        "may be root": secured.get("runAsNonRoot") is not True or not secured.get("runAsUser"),
        "calls what it likes": secured.get("seccompProfile") != {"type": "RuntimeDefault"},
        "is in the host": any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")),
        "has the host's files": any("hostPath" in volume for volume in spec.get("volumes", ())),
        "has a token": spec.get("automountServiceAccountToken") is not token,
        "is whoever it likes": not spec.get("serviceAccountName"),
    }
    return [
        *(what for what, so in found.items() if so),
        *(fault for container in containers(pod) for fault in container_faults(container)),
    ]


def container_faults(container: Object) -> list[str]:
    secured: Mapping[str, Any] = container.get("securityContext", {})
    resources: Mapping[str, Any] = container.get("resources", {})
    _, _, tag = container["image"].rpartition("/")[2].partition(":")
    written = {mount["mountPath"] for mount in container.get("volumeMounts", ())}
    found = {
        "may become root": secured.get("allowPrivilegeEscalation") is not False or secured.get("privileged"),
        "writes its image": secured.get("readOnlyRootFilesystem") is not True,
        "keeps a capability": secured.get("capabilities") != {"drop": ["ALL"]},
        "takes what it likes": not all(
            resources.get(part, {}).get(what) for part in ("requests", "limits") for what in ("cpu", "memory")
        ),
        "is any image": tag in ("", "latest") and "@sha256:" not in container["image"],
        "holds a secret": any(holds_a_secret(each["name"], each.get("value")) for each in container.get("env", ())),
        "is on the host's port": any("hostPort" in port for port in container.get("ports", ())),
        "can't write its folder": not {"/var/lib/tower", "/tmp"} <= written,
    }
    return [what for what, so in found.items() if so]


def base_job_template() -> Object:
    found: Object = json.loads((KUBERNETES / "components" / "job_pool" / "base_job_template.json").read_text())
    return found
