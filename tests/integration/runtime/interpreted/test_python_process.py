"""Python: to a script, its process looks like that of `python script.py`."""

import pytest

from tests.integration.runtime.interpreted.served import Server

SCRIPTS = {
    "arguments": ("import sys\nresult = sys.argv", ["script.py"]),
    "arguments as given": ("import sys\nresult = sys.orig_argv[1:]", ["script.py"]),
    "name": ("result = __name__", "__main__"),
    "name of a module": ("def handle(params): return __name__", "script"),
    "main": ("import sys\nx = 5\nresult = sys.modules['__main__'].x", 5),
    "main of a module": ("x = 5\ndef handle(params): return __import__('__main__').x", 5),
    "names in main": (
        "import __main__\nresult = 0\nresult = [n for n in dir(__main__) if n[0] != '_']",
        ["context", "params", "result"],
    ),
    "file": ("import os\nresult = __file__ == os.path.join(os.getcwd(), 'script.py')", True),
    "path": ("import sys, os\nresult = sys.path[0] == os.getcwd()", True),
    "module of its own": (
        "import pathlib\npathlib.Path('mine.py').write_text('x = 5')\nimport mine\nresult = mine.x",
        5,
    ),
    "our modules": (
        "import sys\nresult = [n for n in sys.modules if n.partition('.')[0] in ('runtime', 'gevent')]",
        [],
    ),
    "threads": ("import threading\nresult = [t.name for t in threading.enumerate()]", ["MainThread"]),
    "garbage collection": ("import gc\nresult = [gc.isenabled(), *gc.get_threshold()]", [True, 700, 10, 10]),
    "recursion": ("import sys\nresult = sys.getrecursionlimit()", 1000),
    "digits": ("import sys\nresult = sys.get_int_max_str_digits()", 4300),
    "signals": (
        "import signal\nh = signal.getsignal\n"
        "result = [h(2) is signal.default_int_handler, h(15), h(17), h(14), signal.set_wakeup_fd(-1)]",
        [True, 0, 0, 0, -1],
    ),
    "an interrupt": (
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    result = 5",
        5,
    ),
    "descriptors": ("import os\nresult = [os.fstat(n) is not None for n in range(4)]", [True] * 4),
    "stdin": (
        "import sys\nresult = [sys.stdin.read(), sys.stdin.readline(), sys.__stdin__ is sys.stdin]",
        ["", "", True],
    ),
    "event loop": ("import asyncio\nresult = asyncio.get_event_loop().is_running()", False),
    "help and exit": (
        "result = [str(exit)[:10], bool(help), bool(copyright), bool(license)]",
        ["Use exit()", True, True, True],
    ),
    "randomness": ("import random, uuid\nresult = random.random() < 1 and len(str(uuid.uuid4()))", 36),
    "logging": ("import logging\nresult = [logging.root.handlers, logging.root.level]", [[], 30]),
    "spec": ("result = __spec__", None),
    "pickle": ("import pickle\nclass P:\n    x = 5\nresult = pickle.loads(pickle.dumps(P())).x", 5),
    "pickle of the event": (
        "import copy, pickle\ndef handler(event):\n"
        "    return [pickle.loads(pickle.dumps(event)), copy.copy(event).params, copy.deepcopy(event).params]",
        [{"params": {}, "context": {"user": "ada"}}, {}, {}],
    ),
    "type hints": (
        "from __future__ import annotations\nimport typing\nclass P:\n    x: Q\nclass Q: pass\n"
        "result = typing.get_type_hints(P)['x'].__name__",
        "Q",
    ),
    "dataclasses": (
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass(slots=True)\nclass P:\n"
        "    x: int = 5\ndef handle(params): return dataclasses.asdict(P())",
        {"x": 5},
    ),
    "source of a function": (
        "import inspect\ndef f():\n    return 5\nresult = inspect.getsource(f)",
        "def f():\n    return 5\n",
    ),
    "doctest": ('"""\n>>> 2 + 3\n5\n"""\nimport doctest\nresult = list(doctest.testmod())', [0, 1]),
    "timeit": ("import timeit\nx = 5\nresult = timeit.timeit('from __main__ import x', number=2) > 0", True),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_finds_what_it_expects_in_both_runs(python: Server, name: str) -> None:
    script, expected = SCRIPTS[name]
    assert [python.result(script), python.result(script)] == [expected, expected]


OUTPUTS = {
    "wrapped": (
        "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8')\nprint('ラ')",
        "ラ\n",
    ),
    "opened anew": (
        "import sys\nsys.stdout = open(1, 'w', encoding='utf-8', closefd=False)\nprint('ラ')",
        "ラ\n",
    ),
    "detached": ("import sys\nraw = sys.stdout.detach()\nraw.write(b'a\\n')", "a\n"),
    "captured and restored": (
        "import io, sys\nsys.stdout = io.StringIO()\nprint('a')\nsys.stdout = sys.__stdout__\nprint('b')",
        "b\n",
    ),
    "bytes and text": (
        "import os, sys\nprint('a')\nsys.stdout.buffer.write(b'b\\n')\nos.write(1, b'c\\n')\nprint('d', end='')",
        "a\nb\nc\nd",
    ),
    "the first streams": ("import sys\nprint('a', file=sys.__stdout__)\nprint('b')", "a\nb\n"),
    "a descriptor of its own": (
        "import os\nwith os.fdopen(os.dup(1), 'w') as f: f.write('a')\nprint('b')",
        "ab\n",
    ),
    "descriptors exchanged": (
        "import os\nkept = os.dup(1)\nn = os.open('out', os.O_RDWR | os.O_CREAT)\nos.dup2(n, 1)\nprint('a')\n"
        "os.dup2(kept, 1)\nprint('b')",
        "b\n",
    ),
    "logging": (
        "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(message)s', level=10)\n"
        "logging.debug('a')",
        "a\n",
    ),
    "a function at the exit": ("import atexit\natexit.register(print, 'b')\nprint('a')", "a\nb\n"),
    "a thread that is waited for": (
        "import threading, time\ndef work():\n    time.sleep(0.2)\n    print('b')\n"
        "threading.Thread(target=work).start()\nprint('a')",
        "a\nb\n",
    ),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_program_prints_the_same_in_both_runs(python: Server, name: str) -> None:
    script, expected = OUTPUTS[name]
    assert [python.fresh(script).json()["stdout"], python.fresh(script).json()["stdout"]] == [
        expected,
        expected,
    ]


def test_output_after_a_capture_is_there_when_the_deadline_passes(python: Server) -> None:
    script = (
        "import io, sys\nsys.stdout = io.StringIO()\nprint('a')\nsys.stdout = sys.__stdout__\nprint('b')\n"
        "while True: pass"
    )
    python.prepare(script)
    assert python.failure(script, "TIMEOUT", timeout_ms=2000)["stdout"] == "b\n"


def test_a_process_of_multiprocessing_is_refused(python: Server) -> None:
    script = "import multiprocessing\nmultiprocessing.Process(target=print).start()"
    assert python.failure(script)["kind"] == "process_limit"
