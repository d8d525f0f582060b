"""A language added as docs/adding-a-language.md says: a module, a worker program, one line in the registry."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.languages import LANGUAGES
from runtime.settings import Settings
from tests.conftest import ROOT
from tests.integration.runtime.served import ServedRuntime, document
from tests.integration.runtime.toy.sh import Sh
from tests.waiting import until

REGISTRY = {
    **LANGUAGES,
    "sh": Sh,
}

ADD = 'echo "adding"\nprintf "%d" $((param_a + param_b)) > "$RESULT"\n'
ONE = 'echo 1 > "$RESULT"\n'


@pytest.fixture(scope="module")
def sh(runtime_settings: Settings) -> Iterator[ServedRuntime]:
    with ServedRuntime("sh", runtime_settings, REGISTRY) as runtime:
        yield runtime


@pytest.mark.parametrize("isolation", ["session", "execution"])
def test_a_script_gets_params_returns_a_result_and_may_print(sh: ServedRuntime, isolation: str) -> None:
    assert sh.prepare(ADD).status_code == 200
    answers = [
        document(sh.run(ADD, {"a": number, "b": 1}, script_content=None, isolation=isolation))
        for number in (1, 2, 3)
    ]
    assert [answer["result"] for answer in answers] == [2, 3, 4]
    assert {answer["stdout"] for answer in answers} == {"adding\n"}
    # What was prepared is warm; a run on its own is never.
    assert {answer["cold"] for answer in answers} == {isolation == "execution"}


def test_params_and_context_are_on_standard_input(sh: ServedRuntime) -> None:
    event = sh.result('cat > "$RESULT"', {"a": [1, "two"]}, context={"user": "ada"})
    assert event == {"params": {"a": [1, "two"]}, "context": {"user": "ada"}}


def test_a_script_without_a_result_gives_null(sh: ServedRuntime) -> None:
    assert sh.result(ONE) == 1
    assert sh.result("true") is None


def test_an_exit_status_is_an_exception_and_stderr_is_kept(sh: ServedRuntime) -> None:
    answer = document(sh.run("echo out; echo wrong >&2; exit 3"))["error"]
    assert answer["message"] == "the script ended with status 3"
    details = answer["details"]
    assert (details["kind"], details["type"]) == ("exception", "exit")
    assert (details["stdout"], details["stderr"]) == ("out\n", "wrong\n")


@pytest.mark.parametrize("result", ["{", "NaN", "[1, NaN]", "'[' * 1"])
def test_a_result_that_is_no_json_has_its_kind(sh: ServedRuntime, result: str) -> None:
    assert sh.failure(f'cat > "$RESULT" <<END\n{result}\nEND\n')["kind"] == "result_not_json"


def test_a_script_that_does_not_parse_is_refused_with_its_line(sh: ServedRuntime) -> None:
    answer = sh.prepare("echo 1\necho 2\nif true; fi\n")
    error = document(answer)["error"]
    assert (answer.status_code, error["code"]) == (400, "INITIALIZATION_ERROR")
    assert (error["details"]["stage"], error["details"]["line"]) == ("parse", 3)


def test_the_deadline_ends_the_script_with_all_its_processes(sh: ServedRuntime) -> None:
    script = "echo started; sleep 1000 & sleep 1000"
    started = time.monotonic()
    answer = sh.run(script, timeout_ms=2000)
    assert time.monotonic() - started < 60
    error = document(answer)["error"]
    assert (answer.status_code, error["code"]) == (504, "TIMEOUT")
    assert error["details"]["stdout"] == "started\n"
    until(lambda: not processes_of("sleep\0001000"), "no process of the script is left")


@pytest.mark.parametrize(
    "attempt",
    [
        "cat /etc/passwd",
        "ls /",
        'echo x > "$param_outside/file"',
        "cat /proc/$PPID/../1/environ",
        "kill -0 1",
        "python3 -c 'import socket; socket.socket()'",
    ],
)
def test_the_shell_is_confined(sh: ServedRuntime, attempt: str, tmp_path: Path) -> None:
    failed = sh.failure(f"{attempt}\n", {"outside": str(tmp_path)})
    assert failed["type"] == "exit"
    assert any(word in failed["stderr"].lower() for word in ("denied", "not permitted"))
    assert not list(tmp_path.iterdir())


def test_its_confinement_is_that_of_every_language(sh: ServedRuntime) -> None:
    layers = document(sh.get("/isolation"))["layers"]
    assert [name for name, on in layers.items() if not on] == []


def processes_of(command: str) -> list[int]:
    """The processes whose command line starts like that, its words ended by null characters."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_text(errors="replace").startswith(command):
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended
    return [pid for pid in found if pid != os.getpid()]


HERE = Path(__file__).parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "adding-a-language.md").read_text(), re.DOTALL)


def test_the_module_and_the_worker_program_are_shown_whole() -> None:
    assert (HERE / "sh.py").read_text() in BLOCKS
    assert (HERE / "sh_worker.py").read_text() in BLOCKS


def test_all_code_that_is_shown_is_code_that_is_tested() -> None:
    tested = [(HERE / name).read_text() for name in ("sh.py", "sh_worker.py", "test_sh.py")]
    assert len(BLOCKS) == 5
    assert [block for block in BLOCKS if not any(block in text for text in tested)] == []
