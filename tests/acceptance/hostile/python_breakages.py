"""Hostile scripts in Python that never end, or break our program in their own process."""

from tests.acceptance.hostile.cases import DEADLINE, OWN_PROCESS, RESULTS, Case, python, python_case

_ENDLESS = {
    "endless loop": "while True: pass",
    "regular expression": "import re; re.match('(a+)+$', 'a' * 64 + 'b')",
    "large power": "3 ** (10 ** 9)",
    "comparison": "text = 'a' * 10_000_000\nwhile text == text[:-1] + 'a': pass",
    "sleep without a signal": "import time; time.sleep(3600)",
    "stop of itself": "import signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "deaf to signals": """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True: pass
    """,
    "exceptions caught for ever": """
        while True:
            try:
                while True: pass
            except BaseException:
                pass
    """,
}

ENDLESS = [
    Case(name, "python", python(body), "TIMEOUT", because=DEADLINE, timeout_ms=400)
    for name, body in _ENDLESS.items()
]

#: What breaks our own program in the same process: the run may fail, but no other user's.
_FAILS = r"done|RUNTIME_ERROR (crashed|exception|result_not_json|memory_limit)|TIMEOUT"
_POLLUTIONS = {
    "json": "import json; json.dumps = json.loads = None; json.JSONEncoder.encode = lambda *_: 'polluted'",
    "builtins": "import builtins; builtins.len = builtins.dict = builtins.isinstance = builtins.id = None",
    "output": "import sys; sys.stdout = sys.stderr = None; os.close(1); os.close(2)",
    "output that fails": "import sys\nclass Broken:\n    def flush(self): raise SystemExit\nsys.stdout = Broken()",
    "modules": "import sys; sys.modules.clear()",
    "sockets": "import socket; socket.socket.sendall = socket.socket.recv_into = lambda *_: 0",
    "tracing": "import sys\ndef trace(*_): raise MemoryError\nsys.settrace(trace)",
    "exit": "import atexit, sys; atexit.register(os._exit, 7); sys.exit = os._exit = lambda *_: None",
    "time": "import time; time.time = time.monotonic = time.perf_counter = lambda: -1",
    "our objects": """
        import gc, sys
        gc.unfreeze()
        for found in gc.get_objects():
            if type(found).__module__.partition(".")[0] == "runtime":
                vars(found).clear()
    """,
    "frames of ours": """
        import sys
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()):
                if isinstance(value, dict) and "id" in value:
                    value["id"] = 99
            frame = frame.f_back
    """,
}

POLLUTIONS = [
    Case(f"pollution of {name}", "python", python(body), _FAILS, because=OWN_PROCESS, timeout_ms=500)
    for name, body in _POLLUTIONS.items()
]

BREAKAGES = [
    python_case("recursion", "attempt(params)", "RUNTIME_ERROR exception", because=OWN_PROCESS),
    python_case(
        "recursion without a limit",
        """
        import sys
        sys.setrecursionlimit(10 ** 9)
        class Deep:
            def __repr__(self): return repr(self)
        repr(Deep())
        """,
        "RUNTIME_ERROR (exception|crashed|memory_limit)",
        because=OWN_PROCESS,
    ),
    python_case("null pointer", "ctypes.string_at(0)", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    python_case("end of the process", "os._exit(0)", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    python_case("exit", "import sys; sys.exit(0)", "RUNTIME_ERROR exception", because=OWN_PROCESS),
    python_case(
        "alarm",
        "import signal; signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()",
        "RUNTIME_ERROR crashed",
        because=OWN_PROCESS,
    ),
    python_case("channel closed", "os.close(3)", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    python_case(
        "channel closed, all of them", "os.closerange(0, 256)", "RUNTIME_ERROR crashed", because=OWN_PROCESS
    ),
    python_case(
        "nonsense on the channel",
        "os.write(3, b'nonsense' * 100)",
        "RUNTIME_ERROR crashed",
        because=OWN_PROCESS,
    ),
    python_case(
        "huge frame announced",
        "os.write(3, bytes([255] * 4) + b'{')",
        "RUNTIME_ERROR crashed",
        because=OWN_PROCESS,
    ),
    python_case(
        "frame for another run",
        """
        body = b'{"id":7,"result":{"faked":true}}'
        os.write(3, len(body).to_bytes(4, "big") + body)
        """,
        "RUNTIME_ERROR crashed",
        because=OWN_PROCESS,
    ),
    python_case(
        "deeply nested frame",
        """
        body = b'{"id":2,"result":' + b'[' * 100_000 + b']' * 100_000 + b'}'
        os.write(3, len(body).to_bytes(4, "big") + body)
        """,
        "RUNTIME_ERROR (crashed|result_not_json)",
        because=OWN_PROCESS,
    ),
]

_NO_RESULTS = {
    "too large": ("'x' * (8 << 20)", "output_limit"),
    "not a number": ("{'a': [float('nan')]}", "result_not_json"),
    "cycle": ("(lambda cycle: cycle.append(cycle) or cycle)([])", "result_not_json"),
    "nested": (
        "__import__('functools').reduce(lambda inner, _: [inner], range(100_000), [])",
        "result_not_json",
    ),
    "list without end": ("type('L', (list,), {'__iter__': lambda _: iter(int, 1)})([1])", "memory_limit"),
}

NO_RESULTS = [
    Case(f"result {name}", "python", f"result = {value}", f"RUNTIME_ERROR {kind}", because=RESULTS)
    for name, (value, kind) in _NO_RESULTS.items()
]

CASES = [*ENDLESS, *POLLUTIONS, *BREAKAGES, *NO_RESULTS]
