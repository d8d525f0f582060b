"""`make pin` against a registry of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.fetch.container_tools import ContainerTools
from local.fetch.go_programs import UnavailableError
from local.image_pins import FILES, Registries, UnresolvedError, images, pin
from local.supervisor.ports import free_port
from tests.conftest import ROOT, missing
from tests.integration.deploy.registry import Registry

DOCKERFILE = """\
ARG BASE_IMAGE={host}/base:1.2.3
ARG VERSION=4
FROM ${{BASE_IMAGE}} AS build
FROM {host}/other/tool:${{VERSION}} AS tool
FROM --platform=linux/amd64 {host}/library/last:2.0-slim AS last
COPY --from=build /opt /opt
"""
COMPOSE = """\
services:
  ours:
    image: ours/thing:${{TAG:-local}}
  theirs:
    image: {host}/base:1.2.3
"""


@pytest.fixture(scope="module")
def registries(container_tools: ContainerTools) -> Registries:
    try:
        return Registries(container_tools.skopeo())
    except UnavailableError as reason:
        missing(f"skopeo: {reason}")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


def test_every_tag_gets_the_digest_it_stands_for(
    registry: Registry, registries: Registries, tmp_path: Path
) -> None:
    base, last = registry.put("base", "1.2.3"), registry.put("library/last", "2.0-slim")
    files = _files(tmp_path, registry.host)

    assert len(list(pin(files, registries))) == 2

    dockerfile, compose = (file.read_text() for file in files)
    assert f"ARG BASE_IMAGE={registry.host}/base:1.2.3@{base}\n" in dockerfile
    assert f"amd64 {registry.host}/library/last:2.0-slim@{last} AS last\n" in dockerfile
    assert f"    image: {registry.host}/base:1.2.3@{base}\n" in compose
    # What a build argument names, and what is built here, stay.
    assert f"FROM {registry.host}/other/tool:${{VERSION}} AS tool\n" in dockerfile
    assert "    image: ours/thing:${TAG:-local}\n" in compose


def test_a_tag_that_has_moved_is_pinned_anew(
    registry: Registry, registries: Registries, tmp_path: Path
) -> None:
    before = registry.put("base", "1.2.3")
    registry.put("library/last", "2.0-slim")
    files = _files(tmp_path, registry.host)
    list(pin(files, registries))
    registry.indexes["/v2/base/manifests/1.2.3"] += b"\n"

    list(pin(files, registries))

    assert before not in files[0].read_text()
    assert files[0].read_text().count("base:1.2.3@sha256:") == 1


def test_when_one_registry_does_not_answer_nothing_is_changed(
    registry: Registry, registries: Registries, tmp_path: Path
) -> None:
    registry.put("base", "1.2.3")
    nobody = f"127.0.0.1:{free_port()}"
    files = _files(tmp_path, registry.host)
    files[1].write_text(f"{files[1].read_text()}  away:\n    image: {nobody}/away:1\n")
    before = [file.read_text() for file in files]

    with pytest.raises(UnresolvedError) as failure:
        list(pin(files, registries))

    # A line for each: the tag that the registry does not have, and the registry that is not there.
    lines = sorted(str(failure.value).splitlines())
    assert [line.partition(": ")[0] for line in lines] == sorted(
        [f"{registry.host}/library/last:2.0-slim", f"{nobody}/away:1"]
    )
    assert [file.read_text() for file in files] == before


def test_the_repositorys_images_are_found_by_full_tags() -> None:
    found = images([file for pattern in FILES for file in ROOT.glob(pattern)])

    assert {"python", "postgres", "redis", "prom/prometheus", "grafana/grafana"} <= {
        image.rpartition(":")[0] for image in found
    }
    assert [image for image in found if "latest" in image] == []


def _files(folder: Path, host: str) -> list[Path]:
    files = {"Dockerfile": DOCKERFILE, "docker-compose.yml": COMPOSE}
    for name, text in files.items():
        (folder / name).write_text(text.format(host=host))
    return [folder / name for name in files]
