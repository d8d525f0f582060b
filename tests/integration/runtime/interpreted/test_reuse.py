"""Which worker serves a call: warm ones are reused, but not by other scripts or tenants; calls wait for busy ones."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from runtime.pool.checker import AHEAD_MAX, AHEAD_PER_SECOND
from tests.integration.runtime.interpreted.conftest import Serve
from tests.integration.runtime.interpreted.served import Server
from tests.waiting import until

PID = {
    "python": "import os\ndef handle(params):\n    return os.getpid()\n",
    "nodejs": "module.exports = () => process.pid;\n",
}
SLEEPING = "import time\ndef handle(params):\n    time.sleep(params['s'])\n    return 1\n"


def test_the_first_run_after_prepare_starts_and_parses_nothing(runtime: Server) -> None:
    script = PID[runtime.language] + "\n"
    runtime.prepare(script)
    first, second = runtime.run(script).json(), runtime.run(script).json()
    assert [first["cold"], second["cold"]] == [False, False]
    assert first["result"] == second["result"]


def test_a_burst_of_new_scripts_takes_no_process_for_each(serve: Serve) -> None:
    server = serve()
    scripts = [f"def handle(params):\n    return {number}\n" for number in range(60)]
    since = time.monotonic()
    answers = [server.prepare(script) for script in scripts]
    loaded = server.workers()["idle"]
    assert {answer.status_code for answer in answers} == {200}
    assert loaded <= AHEAD_MAX + AHEAD_PER_SECOND * (time.monotonic() - since)
    assert [server.result(script) for script in scripts[::20]] == [0, 20, 40]
    broken = [server.prepare(f"x = {number}\ny = (\n").json()["error"] for number in range(10)]
    assert [error["details"]["line"] for error in broken] == [2] * 10
    assert server.run("x = 0\ny = (\n").json()["error"] == broken[0]
    for monstrous in ("-" * 60_000 + "1", "[" * 60_000, "x = '" + chr(0) + "'"):
        both = server.prepare(monstrous), server.run(monstrous)
        assert {answer.json()["error"]["code"] for answer in both} == {"INITIALIZATION_ERROR"}
        assert server.prepare(f"x = {len(monstrous)}").status_code == 200


def test_an_answer_has_the_usage(runtime: Server) -> None:
    answer = runtime.fresh(PID[runtime.language]).json()
    assert set(answer) == {
        *("result", "execution_time", "cpu_time", "memory_usage_bytes", "stdout", "stderr", "cold"),
        *("bytes_in", "bytes_out", "fuel"),
    }
    assert answer["execution_time"] > 0
    assert answer["memory_usage_bytes"] > 1 << 20


def test_tenants_do_not_share_a_process(runtime: Server) -> None:
    script = PID[runtime.language]
    pids = [runtime.fresh(script, tenant=tenant).json()["result"] for tenant in ("t1", "t2", "t1")]
    assert pids[0] == pids[2] != pids[1]


def test_an_isolated_execution_has_a_separate_process(runtime: Server) -> None:
    script = PID[runtime.language]
    pids = {runtime.fresh(script, isolation="execution").json()["result"] for _ in range(3)}
    assert len(pids) == 3
    assert runtime.result(script) not in pids


def test_an_unknown_script_is_requested_from_the_caller(runtime: Server) -> None:
    answer = runtime.run(PID[runtime.language] + " " * 7)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SCRIPT_NEEDED")
    assert answer.json()["request_id"] == "r1"


def test_a_timed_out_run_ends_with_all_its_processes(serve: Serve) -> None:
    # Only with these layers off can a script have one.
    server = serve(ISOLATION_OFF="seccomp,landlock_files", ISOLATION_REQUIRED="no_new_privs")
    script = (
        "import os, subprocess\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "away = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print(child.pid, away.pid)\n"
        "while True: pass\n"
    )
    pids = server.failure(script, "TIMEOUT", timeout_ms=2000)["stdout"].split()
    assert len(pids) == 2
    until(lambda: not any(_exists(int(pid)) for pid in pids), "both are gone")


def test_a_request_waits_for_a_busy_pool_and_is_then_refused(serve: Serve) -> None:
    server = serve(WORKERS_MAX="1", QUEUE_TIMEOUT="200")
    server.prepare(SLEEPING)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(server.run, SLEEPING, {"s": 1.0})
        until(lambda: server.workers()["busy"] == 1, "the worker is busy")
        refused = server.run(SLEEPING, {"s": 0})
        assert busy.result().status_code == 200
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert server.run(SLEEPING, {"s": 0}).status_code == 200
    # An idle worker makes room for another script.
    assert server.fresh(PID["python"]).status_code == 200
    assert server.workers() == {"idle": 1, "busy": 0, "waiting": 0}


def test_a_script_at_its_limit_is_refused_and_another_one_is_served(serve: Serve) -> None:
    server = serve(WORKERS_PER_SCRIPT_MAX="1", QUEUE_TIMEOUT="200")
    server.prepare(SLEEPING)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(server.run, SLEEPING, {"s": 1.0})
        until(lambda: server.workers()["busy"] == 1, "the worker is busy")
        refused = server.run(SLEEPING, {"s": 0})
        other = server.fresh(PID["python"])
        assert not busy.done()
        assert busy.result().status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert other.status_code == 200


def test_idle_workers_stay_within_their_memory_bound(serve: Serve) -> None:
    script = "kept = b'x' * (64 << 20)\ndef handle(params):\n    return len(kept)\n"
    server = serve(POOL_MEMORY_MAX_BYTES=str(120 << 20))
    assert server.result(script) == server.result(script + "\n") == 64 << 20
    assert server.workers()["idle"] == 1
    assert server.run(script + "\n").json()["cold"] is False


#: Python's workers are not used again while threads work.
BUSY_BEHIND = """
const work = () => { const end = Date.now() + 1; while (Date.now() < end); setImmediate(work); };
setImmediate(work);
module.exports = () => process.pid;
"""


def test_a_script_that_works_on_after_its_answer_is_stopped_and_charged(nodejs: Server) -> None:
    pid = nodejs.result(BUSY_BEHIND)
    until(lambda: _states(pid) == {"T"}, "all its threads are stopped")
    spent = _cpu_ticks(pid)
    charged = 0.0
    for _ in range(30):
        answer = nodejs.run(BUSY_BEHIND).json()
        assert (answer["result"], answer["cold"]) == (pid, False)
        charged += answer["cpu_time"]
    until(lambda: _states(pid) == {"T"}, "all its threads are stopped again")
    # What came after the last answer is not charged yet: at most its grace, on each processor.
    left = (_cpu_ticks(pid) - spent) * 1000 / os.sysconf("SC_CLK_TCK") - charged
    assert left < 500


def _states(pid: int) -> set[str]:
    """The states of a process's threads."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads}


def _cpu_ticks(pid: int) -> int:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def test_a_worker_idle_for_too_long_is_ended(serve: Serve) -> None:
    server = serve(WORKER_IDLE_TTL="0.2")
    pid = server.result(PID["python"])
    until(lambda: server.workers()["idle"] == 0, "the idle worker was ended")
    until(lambda: not _exists(pid), "its process is gone")
    assert server.fresh(PID["python"]).json()["cold"] is True


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


ENDLESS = {
    "python": "def handle(params):\n    print('begun', flush=True)\n    while True: pass\n",
    "nodejs": "module.exports = () => { console.log('begun'); for (;;); };\n",
}


def test_a_failed_run_has_its_usage(runtime: Server) -> None:
    script = ENDLESS[runtime.language]
    runtime.prepare(script)
    answer = runtime.run(script, timeout_ms=1000).json()
    assert answer["error"]["code"] == "TIMEOUT"
    used = answer["usage"]
    # Milliseconds: a share of its time, however many processes want the processor too.
    assert used["cpu_time"] > 15
    assert used["execution_time"] >= 1000
    assert used["memory_usage_bytes"] > 1 << 20
    assert used["bytes_out"] == len("begun\n")


def test_a_client_that_hangs_up_ends_its_run(runtime: Server) -> None:
    script = ENDLESS[runtime.language]
    runtime.prepare(script)
    with pytest.raises(requests.ReadTimeout):
        runtime.run(script, timeout=0.5, timeout_ms=60_000)
    until(lambda: runtime.workers()["busy"] == 0, "the worker that ran it is gone")
    answer = runtime.run(script, timeout_ms=100)
    assert answer.json()["usage"]["cold"] is True


#: Forges the answer to its run, which has id 2 in a worker that has not rehearsed.
FORGED = """
import os

def handle(params):
    answer = b'{"id":2,"result":%s,"fuel":7}' % params["result"].encode()
    os.write(3, len(answer).to_bytes(4, "big") + answer)
    os._exit(0)
"""


def test_a_forged_answer_does_not_change_the_usage_and_is_checked(serve: Serve) -> None:
    server = serve(WORKERS_RESERVE="0")
    answer = server.fresh(FORGED, {"result": "1"}).json()
    assert (answer["result"], answer["fuel"]) == (1, None)
    beyond = server.fresh(FORGED, {"result": "[1e999]"}).json()
    assert beyond["error"]["code"] == "RUNTIME_ERROR"
    assert beyond["error"]["details"]["kind"] == "result_not_json"
    assert beyond["usage"]["execution_time"] > 0
