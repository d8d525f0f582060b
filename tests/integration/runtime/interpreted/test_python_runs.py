"""Python: a second run is like the first, whatever the first has left behind."""

import pytest

from tests.integration.runtime.interpreted.served import Server

#: Scripts that give the same in each run, though each run leaves something behind.
RUNS = {
    "a function of all modules replaced": (
        "import builtins\ntold = []\nn = 5 if 'built-in' in repr(print) else 0\nbuiltins.print = told.append\n"
        "print('a')\nresult = n if told == ['a'] else told"
    ),
    "a filter of warnings": (
        "import warnings\ndef handle(params):\n    with warnings.catch_warnings(record=True): warnings.warn('a')\n"
        "    warnings.simplefilter('error')\n    return 5"
    ),
    "loggers configured": (
        "import logging.config\ndef handle(params):\n    log = logging.getLogger('x')\n"
        "    n = 0 if log.disabled else 5\n    logging.config.dictConfig({'version': 1})\n    return n"
    ),
    "an event loop closed": (
        "import asyncio\ndef handle(params):\n    loop = asyncio.get_event_loop()\n"
        "    try:\n        return loop.run_until_complete(asyncio.sleep(0, 5))\n    finally:\n        loop.close()"
    ),
    "an event loop of the module": (
        "import asyncio\nloop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)\n"
        "lock = asyncio.Lock()\nasync def main():\n    async with lock: return 5\n"
        "def handle(params): return loop.run_until_complete(main())"
    ),
    "the loop of an async handler closed": (
        "import asyncio\nasync def handle(params):\n    loop = asyncio.get_running_loop()\n"
        "    loop.call_soon(loop.stop)\n    return 5"
    ),
    "a lock of asyncio, contended": (
        "import asyncio\nlock = asyncio.Lock()\nasync def work():\n    async with lock:\n"
        "        await asyncio.sleep(0.01)\n        return 1\n"
        "async def handle(params): return 3 + sum(await asyncio.gather(work(), work()))"
    ),
    "a queue of asyncio": (
        "import asyncio\nqueue = asyncio.Queue()\nasync def put(): await queue.put(5)\nasync def handle(params):\n"
        "    task = asyncio.create_task(put())\n    return await queue.get()"
    ),
    "a client made in the first run": (
        "import asyncio\nclient = None\nclass Client:\n    def __init__(self): self.free = asyncio.Event()\n"
        "    async def ask(self):\n        asyncio.get_running_loop().call_later(0.01, self.free.set)\n"
        "        await self.free.wait()\n        self.free.clear()\n        return 5\n"
        "async def handle(params):\n    global client\n    client = client or Client()\n    return await client.ask()"
    ),
    "an async generator left in the loop": (
        "import asyncio\nkept = []\nasync def numbers():\n    try:\n        yield 5\n        yield 6\n    finally:\n"
        "        kept.clear()\nasync def handle(params):\n    kept.append(numbers())\n    return await anext(kept[0])"
    ),
    "a lock": (
        "import threading\nlock = threading.Lock()\ndef handle(params):\n    lock.acquire(timeout=20)\n    return 5"
    ),
    "a lock that others took": (
        "import threading\nlock = threading.RLock()\ndef handle(params):\n"
        "    lock.acquire()\n    taken = []\n"
        "    t = threading.Thread(target=lambda: taken.append(lock.acquire(blocking=False)))\n"
        "    t.start()\n    t.join()\n    return 5 if taken == [False] else taken"
    ),
    "the output replaced": (
        "import io, sys\ndef handle(params):\n    sys.stdout = sys.stderr = io.StringIO()\n    return 5"
    ),
    "the output closed": (
        "import sys\ndef handle(params):\n    sys.stdout.write('')\n    sys.stdout.close()\n"
        "    sys.stderr.close()\n    return 5"
    ),
    "the exit replaced": (
        "import sys\nresult = 5 if 'built-in' in repr(sys.exit) else 0\n"
        "sys.exit = lambda *_: None\nsys.excepthook = None"
    ),
    "another folder": (
        "import os, tempfile\ndef handle(params):\n    n = len(os.listdir('.'))\n    os.chdir(tempfile.mkdtemp())\n"
        "    return 5 if n else 0"
    ),
    "a folder that is gone": (
        "import os\ndef handle(params):\n    os.mkdir('inner')\n    os.chdir('inner')\n"
        "    os.rmdir('../inner')\n    return 5"
    ),
    "the environment": (
        "import os\ndef handle(params):\n    fresh = 'HOME' in os.environ and 'X' not in os.environ\n"
        "    os.environ['X'] = '1'\n    del os.environ['HOME']\n    return 5 if fresh else 0"
    ),
    "the path": (
        "import sys\ndef handle(params):\n    sys.path.insert(0, '/x')\n"
        "    return 5 if sys.path.count('/x') == 1 else 0"
    ),
    "the arguments": "import sys\ndef handle(params):\n    sys.argv.append('-v')\n    return len(sys.argv) + 3",
    "the recursion limit": (
        "import sys\ndef handle(params):\n    n = sys.getrecursionlimit()\n"
        "    sys.setrecursionlimit(5000)\n    return n // 200"
    ),
    "the precision of decimals": (
        "import decimal\ndef handle(params):\n    n = decimal.getcontext().prec\n    decimal.getcontext().prec = 5\n"
        "    return n - 23"
    ),
    "a context variable": (
        "import contextvars\nuser = contextvars.ContextVar('user', default=5)\n"
        "async def handle(params):\n    n = user.get()\n    user.set(7)\n    return n"
    ),
    "a handler of logging": (
        "import logging, io\nlog = logging.getLogger('x')\ndef handle(params):\n    text = io.StringIO()\n"
        "    log.addHandler(logging.StreamHandler(text))\n    log.error('a')\n    return len(log.handlers) + 4"
    ),
    "a file": (
        "import os\ndef handle(params):\n"
        "    with open('a', 'w') as file: file.write('x')\n    return len(open('a').read()) + 4"
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_three_runs_are_alike_and_none_prints_for_another(python: Server, name: str) -> None:
    script = RUNS[name]
    answers = [python.fresh(script, timeout_ms=5000) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200], [answer.text for answer in answers]
    documents = [answer.json() for answer in answers]
    assert [document["result"] for document in documents] == [5, 5, 5]
    assert [document["stdout"] + document["stderr"] for document in documents] == ["", "", ""]


#: Scripts whose process is used again.
WARM = {
    "a handler": "import os\ndef handle(params): return os.getpid()",
    "an async handler": (
        "import asyncio, os\nasync def handle(params): return await asyncio.sleep(0.001, os.getpid())"
    ),
    "an executor": (
        "import os\nfrom concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(3)\n"
        "def handle(params): return list(pool.map(lambda _: os.getpid(), range(9)))[0]"
    ),
    "the executor of the loop": (
        "import asyncio, os\nasync def handle(params): return await asyncio.to_thread(os.getpid)"
    ),
    "a lock": (
        "import asyncio, os, threading\nlock = asyncio.Lock()\nother = threading.Lock()\nasync def handle(params):\n"
        "    async with lock:\n        with other: return os.getpid()"
    ),
    "a time limit": (
        "import asyncio, os\nasync def pid(): return os.getpid()\n"
        "async def handle(params): return await asyncio.wait_for(pid(), 60)"
    ),
}


@pytest.mark.parametrize("name", WARM)
def test_a_run_that_leaves_nothing_behind_keeps_its_process(python: Server, name: str) -> None:
    pids = [python.result(WARM[name]) for _ in range(4)]
    assert len(set(pids)) == 1


def test_what_a_module_sets_at_its_top_level_stays(python: Server) -> None:
    script = (
        "import decimal, logging, os, sys\ndecimal.getcontext().prec = 5\nlogging.root.setLevel(10)\n"
        "os.environ['X'] = '1'\nos.mkdir('inner')\nos.chdir('inner')\nsys.path.append('/x')\n"
        "sys.set_int_max_str_digits(0)\ndef handle(params):\n"
        "    return [decimal.getcontext().prec, logging.root.level,"
        " os.environ['X'], os.path.basename(os.getcwd()), sys.path[-1], len(str(10 ** 5000))]\n"
    )
    expected = [5, 10, "1", "inner", "/x", 5001]
    assert [python.result(script), python.result(script)] == [expected, expected]


def test_the_error_of_a_task_belongs_to_its_run(python: Server) -> None:
    script = (
        "import asyncio\nasync def fail(): raise KeyError('lost')\nasync def handle(params):\n"
        "    if params['n'] == 1: asyncio.create_task(fail())\n    await asyncio.sleep(0)\n    return 5\n"
    )
    first, second = (python.fresh(script, {"n": n}).json() for n in (1, 2))
    assert "KeyError: 'lost'" in first["stderr"]
    assert (first["result"], second["result"], second["stderr"]) == (5, 5, "")


#: Functions of a first run that leave something behind, which acts while the second run waits.
LATE = {
    "an alarm": "import signal\ndef leave(): signal.setitimer(signal.ITIMER_REAL, 0.1)",
    "an alarm with a handler": (
        "import signal\ndef ring(*_): raise TimeoutError\nsignal.signal(signal.SIGALRM, ring)\n"
        "def leave(): signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)"
    ),
    "a thread": (
        "import threading\ndef late():\n    time.sleep(0.1)\n    print('late')\n"
        "def leave(): threading.Thread(target=late).start()"
    ),
    "a thread that fails": (
        "import threading\ndef late():\n    time.sleep(0.1)\n    raise KeyError('late')\n"
        "def leave(): threading.Thread(target=late, daemon=True).start()"
    ),
    "work of an executor": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
        "def late():\n    time.sleep(0.1)\n    print('late')\ndef leave(): pool.submit(late)"
    ),
    "a task": (
        "kept = []\nasync def late():\n    await asyncio.sleep(0.1)\n    print('late')\n"
        "def leave(): kept.append(asyncio.ensure_future(late()))"
    ),
    "a timer of the loop": "def leave(): asyncio.get_running_loop().call_later(0.1, print, 'late')",
}


@pytest.mark.parametrize("name", LATE)
def test_what_one_run_has_left_does_not_act_in_the_next(python: Server, name: str) -> None:
    script = (
        f"import asyncio, time\n{LATE[name]}\nasync def handle(params):\n    if params['first']: leave()\n"
        "    else:\n        await asyncio.sleep(0.2)\n        time.sleep(0.2)\n    return 5\n"
    )
    answers = [python.fresh(script, {"first": first}).json() for first in (True, False)]
    assert [(answer["result"], answer["stdout"], answer["stderr"]) for answer in answers] == [(5, "", "")] * 2


def test_a_body_after_a_failed_one_is_like_the_first(python: Server) -> None:
    script = (
        "import os, sys, io\nfolder = len(os.listdir('.'))\nos.mkdir(str(params['n']))\nos.chdir(str(params['n']))\n"
        "sys.stdout = io.StringIO()\nif params['n'] == 1: raise ValueError\nsys.stdout = sys.__stdout__\nprint('a')\n"
        "result = folder\n"
    )
    assert python.failure(script, params={"n": 1})["type"] == "ValueError"
    answer = python.fresh(script, {"n": 2}).json()
    assert (answer["result"], answer["stdout"]) == (2, "a\n")
