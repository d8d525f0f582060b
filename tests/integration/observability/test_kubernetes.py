"""deploy/prometheus/kubernetes.yml: what becomes of the pods of stack.yml.

Debian's Prometheus is built without its client of Kubernetes: pods are given to it as that client describes them.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.fetch.debian_program import DebianProgram
from local.stores.prometheus import DEPLOYED
from tests.conftest import ROOT

META = "__meta_kubernetes_"


def pod(name: str, **labels: str) -> dict[str, str]:
    """A pod as the client describes it."""
    found = {"namespace": "openfaas-fn", "pod_name": name, "pod_ip": "10.0.0.7"} | labels
    return {META + label: value for label, value in found.items()}


def scraped(promtool: DebianProgram, job: str, found: dict[str, str], folder: Path) -> dict[str, str]:
    """The labels that the pod's series would have; none where it is left out."""
    document = yaml.safe_load(DEPLOYED.joinpath("kubernetes.yml").read_text())
    for each in document["scrape_configs"]:
        del each["kubernetes_sd_configs"]
        each["static_configs"] = [{"targets": ["10.0.0.7:8080"], "labels": found}]
    del document["rule_files"]
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(document))
    command = [str(promtool.path), "check", "service-discovery", "--timeout=1s", str(file), job]
    done = subprocess.run(command, env=promtool.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (target,) = json.loads(done.stdout)
    labels: dict[str, str] | None = target["labels"]
    return labels or {}


def function(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "stack.yml").read_text())
    described: dict[str, Any] = document["functions"][name]
    return described


@pytest.mark.parametrize(("name", "job"), [("execute", "controller"), ("runtime-rust", "runtime")])
def test_a_function_is_found_by_what_stack_yml_says_of_it(
    promtool: DebianProgram, name: str, job: str, tmp_path: Path
) -> None:
    described = function(name)
    annotations = {
        "pod_annotation_" + key.replace(".", "_").replace("/", "_"): value
        for key, value in described["annotations"].items()
    }
    component = described["labels"]["app.kubernetes.io/component"]
    found = pod(f"{name}-x", pod_label_app_kubernetes_io_component=component, **annotations)

    labels = scraped(promtool, "functions", found, tmp_path)

    wanted = {"job": job, "namespace": "openfaas-fn", "pod": f"{name}-x", "__address__": "10.0.0.7:9090"}
    assert {label: labels[label] for label in wanted} == wanted


def test_what_does_not_ask_for_it_is_not_scraped(promtool: DebianProgram, tmp_path: Path) -> None:
    assert scraped(promtool, "functions", pod("other"), tmp_path) == {}


def test_the_gateway_is_scraped_at_its_port_for_metrics(promtool: DebianProgram, tmp_path: Path) -> None:
    labels = scraped(promtool, "gateway", pod("gateway-x"), tmp_path)

    assert (labels["job"], labels["__address__"]) == ("gateway", "10.0.0.7:8082")


def test_only_pods_of_this_project_are_asked_for() -> None:
    document = yaml.safe_load(DEPLOYED.joinpath("kubernetes.yml").read_text())
    (functions, _) = document["scrape_configs"]
    label, _, value = functions["kubernetes_sd_configs"][0]["selectors"][0]["label"].partition("=")

    assert function("execute")["labels"][label] == function("runtime-python")["labels"][label] == value
