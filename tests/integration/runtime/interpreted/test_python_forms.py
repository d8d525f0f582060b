"""Python: what counts as a handler, how it is called, and when a script is a program."""

from typing import Any

import pytest

from tests.integration.runtime.interpreted.served import Server

PARAMS = {"a": 1}
CONTEXT = {"user": "ada"}
EVENT = {"params": PARAMS, "context": CONTEXT}

WRAPPER = (
    "def plain(function):\n"
    "    def wrapper(*args, **kwargs): return function(*args, **kwargs)\n    return wrapper\n"
)
CLASS_WRAPPER = (
    "class Plain:\n    def __init__(self, function): self.inner = function\n"
    "    def __call__(self, *args, **kwargs): return self.inner(*args, **kwargs)\n"
)
FACTORY = (
    "def plain(times):\n    def decorate(function):\n        def wrapper(*args):\n"
    "            return [function(*args) for _ in range(times)]\n        return wrapper\n    return decorate\n"
)

DECORATED = {
    "without wraps, after one parameter": (
        "def plain(f):\n    def w(event, *args): return f(event, *args)\n    return w\n"
        "@plain\ndef handler(event, context): return context",
        CONTEXT,
    ),
    "by a partial": (
        "import functools\ndef call(f, *args): return f(*args)\ndef handle(params): return params\n"
        "handle = functools.partial(call, handle)",
        PARAMS,
    ),
    "by a cache": (
        "import functools\n@functools.lru_cache\ndef handle(*, params=None): return 5\n"
        "def handle(params, inner=handle): return params",
        PARAMS,
    ),
    "without wraps": (f"{WRAPPER}@plain\ndef handle(params): return params", PARAMS),
    "without wraps, two parameters": (
        f"{WRAPPER}@plain\ndef handler(event, context): return context",
        CONTEXT,
    ),
    "by a class": (f"{CLASS_WRAPPER}@Plain\ndef handle(params): return params", PARAMS),
    "by a factory": (f"{FACTORY}@plain(2)\ndef handle(params): return params", [PARAMS, PARAMS]),
    "with wraps that adds an argument": (
        "import functools\ndef plain(f):\n    @functools.wraps(f)\n    def w(params): return f(params, 7)\n"
        "    return w\n@plain\ndef handle(params, seven): return [params, seven]",
        [PARAMS, 7],
    ),
    "by the standard library": (
        "import functools\n@functools.singledispatch\ndef handle(params): return params",
        PARAMS,
    ),
}

CALLABLES = {
    "an object": ("class H:\n    def __call__(self, params): return params\nhandle = H()", PARAMS),
    "a bound method": ("class H:\n    def run(self, params): return params\nhandle = H().run", PARAMS),
    "a class method": (
        "class H:\n    @classmethod\n    def run(cls, event): return event\nhandler = H.run",
        EVENT,
    ),
    "a partial": (
        "import functools\ndef f(n, event, context): return [n, context]\nhandler = functools.partial(f, 3)",
        [3, CONTEXT],
    ),
    "a partial by name": (
        "import functools\ndef f(params, n): return [params, n]\nhandle = functools.partial(f, n=3)",
        [PARAMS, 3],
    ),
    "a lambda": ("handle = lambda params: params", PARAMS),
    "a function of C": ("handle = dict", PARAMS),
    "one imported": ("from json import dumps as handle", '{"a": 1}'),
    "one made by exec": ("exec('def handle(params): return params')", PARAMS),
}

PARAMETERS = {
    "by keyword": ("def handle(*, params): return params", PARAMS),
    "both by keyword": (
        "def handler(*, event, context=None): return [event.params, context]",
        [PARAMS, CONTEXT],
    ),
    "any by keyword": ("def handle(**given): return given", EVENT),
    "with a default": ("def handler(event=None, context=None): return context", CONTEXT),
    "by position": ("def handle(params, /): return params", PARAMS),
}

GENERATORS = {
    "a generator": ("def handle(params):\n    yield 1\n    yield params", [1, PARAMS]),
    "an async generator": ("async def handle(params):\n    yield 1\n    yield params", [1, PARAMS]),
    "one that is returned": ("def handle(params): return (n * n for n in range(3))", [0, 1, 4]),
    "one that is empty": ("def handle(params):\n    return\n    yield", []),
    "one of a body": ("result = (n for n in params)", ["a"]),
}

BODIES = {
    "a helper for signals": (
        "import signal\ndef handler(signum, frame): raise TimeoutError\n"
        "signal.signal(signal.SIGALRM, handler)\nsignal.alarm(3)\nresult = params\nsignal.alarm(0)",
        PARAMS,
    ),
    "a helper that is called": (
        "def handle(x): return x * 2\nresult = [handle(params[k]) for k in params]",
        [2],
    ),
    "a helper that reads params": ("def handler(event): return params['a']\nresult = handler(0)", 1),
    "an object of logging and a main guard": (
        "import logging\nhandler = logging.NullHandler()\nif __name__ == '__main__':\n    result = params['a']",
        1,
    ),
    "a result from a function": ("def main():\n    global result\n    result = params\nmain()", PARAMS),
    "a result in the main guard": ("if __name__ == '__main__':\n    result = params", PARAMS),
}

MODULES = {
    "a main guard": ("def handle(params): return params\nif __name__ == '__main__': result = 7 / 0", PARAMS),
    "a result of its own": (
        "result = None\ndef handle(params):\n    global result\n    result = 7\n    return params",
        PARAMS,
    ),
    "a try-out": ("def handle(params): return params\nresult = handle({'b': 2})\nprint(result)", PARAMS),
}

_KINDS: dict[str, dict[str, tuple[str, Any]]] = {
    "decorated": DECORATED,
    "callable": CALLABLES,
    "parameters": PARAMETERS,
    "generator": GENERATORS,
    "body": BODIES,
    "module": MODULES,
}
FORMS = {f"{kind}: {name}": row for kind, rows in _KINDS.items() for name, row in rows.items()}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_gives_the_same_twice(python: Server, name: str) -> None:
    script, expected = FORMS[name]
    assert [python.result(script, PARAMS), python.result(script, PARAMS)] == [expected, expected]


@pytest.mark.parametrize(
    "script",
    [
        "def handle(a, b, c): pass",
        "def handle(params, *, database): pass",
        "def lambda_handler(event, context): return 1",
        "import json\nLIMIT = 3\n@staticmethod\ndef main(params): return 1",
    ],
)
def test_a_script_that_cannot_be_called_is_told_the_forms(python: Server, script: str) -> None:
    failure = python.failure(script)
    assert failure["kind"] == "exception"
    assert "def handle(params)" in failure["message"]


ENDS = {
    "nothing": ("x = 1", None),
    "status 0": ("import sys\nresult = 5\nsys.exit(0)", 5),
    "status 0 in the main guard": (
        "import sys\nif __name__ == '__main__':\n    result = 5\n    sys.exit()",
        5,
    ),
    "tests that pass": (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertTrue(params)\nunittest.main()",
        None,
    ),
    "arguments": ("import argparse\nargparse.ArgumentParser().parse_args()\nresult = 5", 5),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_program_that_ends_well_gives_its_result(python: Server, name: str) -> None:
    script, expected = ENDS[name]
    assert [python.result(script, PARAMS), python.result(script, PARAMS)] == [expected, expected]


@pytest.mark.parametrize(
    ("script", "message", "stderr"),
    [
        ("import sys\nresult = 5\nsys.exit(3)", "the script ended itself with status 3", ""),
        ("import sys\nsys.exit('no rows')", "the script ended itself with status 1: no rows", "no rows\n"),
        ("raise SystemExit(True)", "the script ended itself with status 1", ""),
        ("def handle(params): exit(0)", "the script ended itself with status 0", ""),
        (
            "import argparse\nargparse.ArgumentParser(exit_on_error=True).error('no')",
            "status 2",
            "script.py: error: no",
        ),
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertTrue(0)\nunittest.main()",
            "the script ended itself with status 1",
            "FAILED (failures=1)",
        ),
    ],
)
def test_a_program_that_ends_badly_has_failed(python: Server, script: str, message: str, stderr: str) -> None:
    failure = python.failure(script)
    assert (failure["kind"], failure["type"]) == ("exception", "SystemExit")
    assert message in failure["message"]
    assert stderr in failure["stderr"]
