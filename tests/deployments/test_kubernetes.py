"""What a cluster would be given: rendered by kubectl, held against Kubernetes' schemas, and no more than it needs."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from ruamel.yaml import YAML

from control_tower.locks import take
from control_tower.server import Server
from control_tower.settings import Settings
from desk.deploy_pools import WORK_POOLS, make_pools, pools_differ
from tests.deployments.manifests import (
    KUBERNETES,
    OVERLAYS,
    POLICIES,
    Object,
    base_job_template,
    called,
    containers,
    faults,
    holds_a_secret,
    pods,
    rendered,
)
from tests.docs.test_pages import wrong_with

JOB_POOL = KUBERNETES / "components" / "job_pool"
IMAGE = "registry.example/shop/control-tower:0.1.0"
TALKS_TO_KUBERNETES = {"pool-worker"}

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def wrong(thing: Object) -> str:
    """What Kubernetes' schema says against an object, fields that it does not know among it; empty where nothing."""
    validating = pytest.importorskip("kubernetes_validate", reason="no schemas of Kubernetes")
    try:
        validating.validate(thing, validating.latest_version(), strict=True)
    except validating.ValidationError as fault:
        return str(fault.message)
    return ""


# what is rendered is what Kubernetes knows


@pytest.mark.slow
@each_overlay
def test_every_object_is_as_kubernetes_has_it(overlay: str) -> None:
    found = rendered(overlay)
    assert len(found) > 12
    assert not {each["metadata"]["name"]: said for each in found if (said := wrong(each))}


def test_a_field_that_kubernetes_does_not_have_is_found() -> None:
    worker = called(rendered("base"), "Deployment", "tower-worker")
    worker["spec"]["template"]["spec"]["completions"] = 1
    assert "completions" in wrong(worker)


def test_an_overlay_sets_image_replicas_and_addresses() -> None:
    found = rendered("overlays/example")
    assert {container["image"] for _, pod in pods(found) for container in containers(pod)} == {IMAGE}
    assert called(found, "Deployment", "tower-worker")["spec"]["replicas"] == 3
    told = called(found, "ConfigMap", "tower")["data"]
    assert told["TOWER_ARTIFACTS_URL"] == "s3://kept/tower"
    assert told["PREFECT_API_URL"] == "http://prefect-server:4200/api", "what the base says stays"


def test_where_runs_are_jobs_no_warm_worker_takes_them_first() -> None:
    found = rendered("overlays/jobs")
    assert {name for name, _ in pods(found)} == {
        "prefect-server", "ledger-upgrade", "tower-deploy", "pool-worker", "slack-desk"
    }  # fmt: skip
    assert {container["image"] for _, pod in pods(found) for container in containers(pod)} == {IMAGE}


# what it is allowed


@each_overlay
def test_no_pod_is_allowed_more_than_it_needs(overlay: str) -> None:
    found = {name: faults(pod, token=name in TALKS_TO_KUBERNETES) for name, pod in pods(rendered(overlay))}
    assert found
    assert not {name: said for name, said in found.items() if said}


BREAKS: dict[str, Callable[[Object, Object], object]] = {
    "writes its image": lambda pod, container: container["securityContext"].pop("readOnlyRootFilesystem"),
    "may become root": lambda pod, container: container["securityContext"].pop("allowPrivilegeEscalation"),
    "keeps a capability": lambda pod, container: container["securityContext"]["capabilities"].update(add=["NET_RAW"]),
    "takes what it likes": lambda pod, container: container["resources"]["limits"].pop("memory"),
    "is any image": lambda pod, container: container.update(image="registry.example:5000/control-tower"),
    "holds a secret": lambda pod, container: container.update(env=[{"name": "TOWER_APPROVER_KEY", "value": "x"}]),
    "is on the host's port": lambda pod, container: container.update(ports=[{"containerPort": 1, "hostPort": 1}]),
    "can't write its folder": lambda pod, container: container.pop("volumeMounts"),
    "may be root": lambda pod, container: pod["spec"]["securityContext"].update(runAsUser=0),
    "calls what it likes": lambda pod, container: pod["spec"]["securityContext"].pop("seccompProfile"),
    "is in the host": lambda pod, container: pod["spec"].update(hostNetwork=True),
    "has the host's files": lambda pod, container: pod["spec"]["volumes"].append({"hostPath": {"path": "/"}}),
    "has a token": lambda pod, container: pod["spec"].pop("automountServiceAccountToken"),
    "is whoever it likes": lambda pod, container: pod["spec"].pop("serviceAccountName"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_a_manifest_that_allows_more_is_found(fault: str) -> None:
    pod = called(rendered("base"), "Deployment", "tower-worker")["spec"]["template"]
    BREAKS[fault](pod, pod["spec"]["containers"][0])
    assert faults(pod) == [fault]


@each_overlay
def test_no_secret_is_in_the_tree_and_nothing_is_published(overlay: str) -> None:
    found = rendered(overlay)
    assert not [each for each in found if each["kind"] in ("Secret", "Ingress", "ClusterRole", "ClusterRoleBinding")]
    assert {each["spec"]["type"] for each in found if each["kind"] == "Service"} == {"ClusterIP"}
    settings = [item for each in found if each["kind"] == "ConfigMap" for item in each["data"].items()]
    assert not [name for name, value in settings if holds_a_secret(name, value)]


@each_overlay
def test_the_cluster_itself_refuses_a_pod_that_is_not_restricted(overlay: str) -> None:
    labels = called(rendered(overlay), "Namespace", "control-tower")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_only_what_makes_jobs_has_a_role_and_it_is_no_wider_than_that() -> None:
    assert not [each for each in rendered("base") if each["kind"].startswith("Role")]
    found = rendered("overlays/jobs")
    (bound,) = [each for each in found if each["kind"] == "RoleBinding"]
    assert {each["name"] for each in bound["subjects"]} == TALKS_TO_KUBERNETES
    rules = called(found, "Role", "pool-worker")["rules"]
    assert {what for rule in rules for what in rule["resources"]} == {"jobs", "pods", "pods/log", "events"}
    assert "*" not in {verb for rule in rules for verb in rule["verbs"]}
    assert {rule["resources"][0]: rule["verbs"] for rule in rules}["pods"] == ["get", "list", "watch"]


# who speaks with whom


def chosen(selector: Object, labels: Object) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    among = selector.get("matchExpressions", ())
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(each["key"]) in each["values"] for each in among
    )


def ports_out(found: list[Object], labels: Object) -> set[int]:
    return {
        port["port"]
        for each in found
        if each["kind"] == POLICIES and chosen(each["spec"]["podSelector"], labels)
        for rule in each["spec"].get("egress", ())
        for port in rule["ports"]
    }


def test_nobody_speaks_with_anybody_but_for_what_is_named() -> None:
    found = [*rendered("overlays/jobs"), called(rendered("base"), "Deployment", "tower-worker")]
    deny = called(found, POLICIES, "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    run = base_job_template()["job_configuration"]["job_manifest"]["spec"]["template"]
    out = {name: ports_out(found, pod["metadata"]["labels"]) for name, pod in [*pods(found), ("tower-run", run)]}
    assert out == {
        "prefect-server": {53, 5432},
        "ledger-upgrade": {53, 5432},
        "tower-worker": {53, 5432, 4200, 443},
        "slack-desk": {53, 5432, 4200, 443},
        "tower-run": {53, 5432, 4200, 443},
        "tower-deploy": {53, 4200},
        "pool-worker": {53, 4200, 443, 6443},
    }


def test_whoever_may_call_the_server_is_let_in_by_it_and_nobody_else() -> None:
    found = rendered("overlays/jobs")
    (rule,) = called(found, POLICIES, "prefect-server")["spec"]["ingress"]
    (callers,) = rule["from"]
    assert callers["podSelector"] == called(found, POLICIES, "prefect-clients")["spec"]["podSelector"]
    assert not [
        each["metadata"]["name"] for each in found
        if each["kind"] == POLICIES and each["metadata"]["name"] != "prefect-server" and each["spec"].get("ingress")
    ]  # fmt: skip


# what it says exists


@each_overlay
def test_every_command_of_the_tower_exists(overlay: str) -> None:
    said = [each["args"] for _, pod in pods(rendered(overlay)) for each in containers(pod) if "command" not in each]
    assert ["ledger", "upgrade", "--make"] in said
    assert not [(words, fault) for words in said if (fault := wrong_with(words))]


@pytest.mark.large
def test_every_command_of_prefect_exists() -> None:
    said = [
        each["command"] for _, pod in pods(rendered("overlays/jobs")) for each in containers(pod) if "command" in each
    ]
    assert len(said) == 2
    for words in said:
        name = words[: next(at for at, word in enumerate(words) if word.startswith("-"))]
        told = subprocess.run(
            [sys.executable, "-m", *name, "--help"], capture_output=True, text=True, check=True, timeout=120,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        assert not [word for word in words if word.startswith("--") and word not in told.stdout]


def variables(found: list[Object]) -> set[str]:
    told = {name for each in found if each["kind"] == "ConfigMap" for name in each["data"]}
    set_ = {each["name"] for _, pod in pods(found) for one in containers(pod) for each in one.get("env", ())}
    return {name for name in told | set_ if name.isupper()}


@each_overlay
def test_every_setting_exists(overlay: str) -> None:
    known = {f"TOWER_{name.upper()}" for name in Settings.model_fields} | prefect_settings()
    unknown = variables(rendered(overlay)) - known
    assert unknown <= {"CONTROL_TOWER_IMAGE"}, unknown


@cache
def prefect_settings() -> set[str]:
    """The names of all settings of Prefect, and of its worker for Kubernetes."""
    from prefect.settings.models.root import Settings as Prefect

    kubernetes = pytest.importorskip("prefect_kubernetes.settings", reason="no prefect-kubernetes")
    return {*names_of(Prefect), *names_of(kubernetes.KubernetesSettings)}


def names_of(settings: Any) -> set[str]:
    prefix = settings.model_config["env_prefix"]
    found: set[str] = set()
    for name, field in settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and hasattr(inner, "model_fields") and inner.model_config.get("env_prefix"):
            found |= names_of(inner)
        else:
            aliases = getattr(field.validation_alias, "choices", ())
            found |= {each.upper() for each in (f"{prefix}{name}", *aliases) if isinstance(each, str)}
    return found


def test_a_worker_is_alive_for_as_long_as_it_holds_its_lock(tmp_path: Path) -> None:
    container = called(rendered("base"), "Deployment", "tower-worker")["spec"]["template"]["spec"]["containers"][0]
    probes = [container[kind]["exec"]["command"] for kind in ("startupProbe", "livenessProbe")]
    assert probes[0] == probes[1]
    lock = tmp_path / "workers.lock"
    _, flag, program = (word.replace("/var/lib/tower/prefect", str(tmp_path)) for word in probes[0])

    def alive() -> bool:
        return subprocess.run([sys.executable, flag, program], timeout=60, capture_output=True).returncode == 0

    assert not alive()
    with lock.open("a") as held:
        assert take(held)
        assert alive()
    assert not alive()


# the pool whose runs are Jobs


@pytest.fixture
def job_pool(tmp_path: Path) -> Path:
    """A copy of the job pool's file, with a name of its own."""
    (tmp_path / "base_job_template.json").write_text((JOB_POOL / "base_job_template.json").read_text())
    file = tmp_path / "work_pools.yaml"
    file.write_text((JOB_POOL / "work_pools.yaml").read_text().replace("name: tower", f"name: tower-{uuid4().hex[:8]}"))
    return file


def test_both_files_of_work_pools_have_the_same_queues() -> None:
    one, other = (YAML(typ="safe").load(file.read_text())[0] for file in (WORK_POOLS, JOB_POOL / "work_pools.yaml"))
    assert {key: other[key] for key in one} == one


@pytest.mark.slow
def test_a_pool_of_jobs_is_made_as_its_file_says_and_its_job_is_put_right(server: Server, job_pool: Path) -> None:
    (name,) = [each["name"] for each in YAML(typ="safe").load(job_pool.read_text())]
    with get_client(sync_client=True) as client:
        make_pools(client, job_pool)
        there = client.read_work_pool(name)
        assert (there.type, there.base_job_template) == ("kubernetes", base_job_template())
        assert list(pools_differ(client, job_pool)) == []
        template = job_pool.with_name("base_job_template.json")
        template.write_text(re.sub(r'"default": "4Gi"', '"default": "8Gi"', template.read_text()))
        assert [each.field for each in pools_differ(client, job_pool)] == ["base_job_template"]
        make_pools(client, job_pool)
        assert list(pools_differ(client, job_pool)) == []
        client.delete_work_pool(name)


def a_run(template: Object, image: str, monkeypatch: pytest.MonkeyPatch, **variables: Any) -> Object:
    """The Job that Prefect's own worker would make of a run."""
    working = pytest.importorskip("prefect_kubernetes.worker", reason="no prefect-kubernetes")
    monkeypatch.setenv("CONTROL_TOWER_IMAGE", image)
    configured = asyncio.run(working.KubernetesWorkerJobConfiguration.from_template_and_values(template, variables))
    configured.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="brave-otter"))
    manifest: Object = configured.job_manifest
    return manifest


@pytest.mark.slow
def test_a_run_is_a_job_that_kubernetes_takes_and_is_allowed_no_more_than_others(
    server: Server, job_pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = [each["name"] for each in YAML(typ="safe").load(job_pool.read_text())]
    with get_client(sync_client=True) as client:
        make_pools(client, job_pool)
        template = client.read_work_pool(name).base_job_template
        client.delete_work_pool(name)
    job = a_run(template, IMAGE, monkeypatch)
    assert not wrong(job)
    pod = job["spec"]["template"]
    assert not faults(pod)
    (container,) = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    # The image's own entrypoint is `tower`: Prefect's whole command is an argument, and something has to start it.
    assert (container["command"], container["args"]) == (["env"], ["prefect", "flow-run", "execute"])
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "tower-run"
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["backoffLimit"]) == (1, 1, 0)
    assert {next(iter(each.values()))["name"] for each in container["envFrom"]} == {"tower"}


def test_prefects_own_job_has_fields_where_kubernetes_has_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why there is a template of ours; when this fails, prefect-kubernetes has put them right."""
    working = pytest.importorskip("prefect_kubernetes.worker", reason="no prefect-kubernetes")
    job = a_run(working.KubernetesWorker.get_default_base_job_template(), IMAGE, monkeypatch)
    assert "completions" in wrong(job)
    assert faults(job["spec"]["template"])


def test_the_servers_password_is_named_in_a_run_and_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's worker puts its own settings into a Job as they are, but for what it is told is a Secret's."""
    kubernetes = pytest.importorskip("prefect_kubernetes.settings", reason="no prefect-kubernetes")
    worker = called(rendered("overlays/jobs"), "Deployment", "pool-worker")["spec"]["template"]["spec"]["containers"][0]
    for each in worker["env"]:
        if each["name"].startswith("PREFECT_INTEGRATIONS_"):
            monkeypatch.setenv(each["name"], each["value"])
    found = kubernetes.KubernetesSettings()
    assert found.worker.api_auth_string_secret_name == "tower"
    assert found.worker.api_auth_string_secret_key == "PREFECT_API_AUTH_STRING"
    assert found.observer.namespaces == {"control-tower"}
