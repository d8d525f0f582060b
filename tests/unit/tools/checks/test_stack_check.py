"""The check of stack.yml, for what faas-cli would not say."""

import pytest

from local.state import ROOT
from tools.checks.stack_check import mistakes

STACK = (ROOT / "stack.yml").read_text()


def test_ours_has_no_mistake() -> None:
    assert list(mistakes(STACK)) == []


@pytest.mark.parametrize(
    ("written", "mistaken", "where"),
    [
        ("readonly_root_filesystem:", "read_only_root_filesystem:", "functions.initialize"),
        ("configuration:\n", "configurations:\n", "the file"),
        ("  copy:", "  copies:", "configuration"),
        ("  gateway:", "  url:", "provider"),
        ("      memory: 128Mi", "      mem: 128Mi", "functions.initialize.requests"),
        ("      memory: 128Mi", "      memory: 128M", "functions.initialize.requests.memory"),
        ('METRICS_PORT: "9090"', "METRICS_PORT: 9090", "functions.initialize.environment.METRICS_PORT"),
        ('scale.max: "5"', 'scale.max: "6"', "functions.initialize.labels.com.openfaas.scale.max"),
        ('com.openfaas.scale.factor: "20"', 'com.openfaas.scale.zero: "true"', "functions.initialize.labels"),
        (
            "    build_args: &controller-build\n      LIBRARY: controller",
            "    build_args: &controller-build\n      - LIBRARY=controller",
            "functions.initialize.build_args",
        ),
        ("version: 1.0", "version: [", "is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(written: str, mistaken: str, where: str) -> None:
    assert written in STACK

    assert any(mistake.startswith(where) for mistake in mistakes(STACK.replace(written, mistaken, 1)))


def test_a_sixteenth_function_is_too_much() -> None:
    more = "".join(f"  f{n}: {{lang: x, handler: ./f, image: f:1}}\n" for n in range(8))

    assert [mistake.partition(":")[0] for mistake in mistakes(STACK + more)] == ["functions"]
