"""Packages of others: scripts that look for them, and scripts that would change their own."""

import re
from typing import Any, NamedTuple

import pytest

from tests.acceptance.hostile.cases import FILES, node, python
from tests.acceptance.hostile.conftest import Runtimes, check_clean
from tests.acceptance.hostile.served import Runtime
from tests.environments import Environment, environment

_WHERE = {
    "python": "import sys\nresult = next(entry for entry in sys.path if 'environments-' in entry)",
    "nodejs": "return require('path').dirname(process.env.NODE_PATH.split(':')[0]);",
}


class Attempt(NamedTuple):
    """A script that has packages of its own, or none, and how its attempt must end."""

    language: str
    script: str
    verdict: str
    #: How it ends without Landlock; None where Landlock is not what stops it.
    open: str | None = None
    packages: bool = True


def _python(body: str, verdict: str = "refused EACCES", **more: Any) -> Attempt:
    return Attempt("python", python(body), verdict, **more)


def _node(body: str, verdict: str = "refused EACCES", **more: Any) -> Attempt:
    return Attempt("nodejs", node(f"const fs = require('fs');\n{body}"), verdict, **more)


#: Names that somebody who knows the contract would try, in place of NAME.
_PYTHON_GUESSES = """
import hashlib
digest = params["digest"]
names = [digest, digest[:32], hashlib.sha256(digest.encode()).hexdigest(), hashlib.sha256(b"").hexdigest()]
for name in names:
    try:
        open(f"{params['store']}/{name}/secret.py").read()
    except FileNotFoundError:
        continue
    return
raise FileNotFoundError(errno.ENOENT, "no guess was right")
"""
_NODE_GUESSES = """
const { createHash } = require('crypto');
const { digest, store } = params;
const names = [digest, digest.slice(0, 32), createHash('sha256').update(digest).digest('hex')];
for (const name of names) {
  if (fs.existsSync(`${store}/${name}/secret.py`)) return;
}
throw Object.assign(new Error('no guess was right'), { code: 'ENOENT' });
"""
#: A layer that grants what an earlier one does not.
_WIDER_LAYER = """
import struct
for _ in range(3):
    ruleset = call(444, struct.pack("<Q", 12), 8, 0)
    place = os.open(params["theirs"], 0o10000000)
    call(445, ruleset, 1, struct.pack("<Qi", 12, place), 0)
    call(446, ruleset, 0)
open(params["theirs"] + "/secret.py").read()
"""

ATTEMPTS = {
    "list all": _python("os.listdir(params['store'])"),
    "list all, without packages": _python("os.listdir(params['store'])", packages=False),
    "list all by /proc, without packages": _python(
        "os.listdir('/proc/self/root' + params['store'])", packages=False
    ),
    "list the state folder": _python("os.listdir(params['store'] + '/../..')", open="done"),
    "guess, without packages": _python(_PYTHON_GUESSES, "refused ENOENT", packages=False),
    "guess": _python(_PYTHON_GUESSES, "refused (ENOENT|EACCES)"),
    "list theirs": _python("os.listdir(params['theirs'])", open="done"),
    "read theirs": _python("open(params['theirs'] + '/secret.py').read()", open="done"),
    "read theirs from its own": _python(
        "open(params['own'] + '/../' + os.path.basename(params['theirs']) + '/secret.py').read()", open="done"
    ),
    "read theirs by /proc": _python(
        "open('/proc/self/root' + params['theirs'] + '/secret.py').read()", open="done"
    ),
    "read theirs with a wider layer": _python(_WIDER_LAYER),
    "link theirs": _python(
        "os.link(params['theirs'] + '/secret.py', 'mine')", "refused (EACCES|EXDEV)", open="done"
    ),
    "read its own": _python("open(params['own'] + '/secret.py').read()\nos.listdir(params['own'])", "done"),
    "change its own": _python("open(params['own'] + '/secret.py', 'a')"),
    "replace its own": _python(
        "open('new', 'w').close()\nos.replace('new', params['own'] + '/secret.py')", "refused (EACCES|EXDEV)"
    ),
    "add to its own": _python("open(params['own'] + '/new.py', 'w')"),
    "remove its own": _python("os.unlink(params['own'] + '/secret.py')"),
    "open its own up": _python("os.chmod(params['own'] + '/secret.py', 0o666)", "refused EPERM"),
    "open all up": _python("os.chmod(params['store'], 0o777)", "refused EPERM", packages=False),
    "open its own up by a link": _python(
        "os.link(params['own'] + '/secret.py', 'mine')\nos.chmod('mine', 0o666)", "refused (EACCES|EXDEV)"
    ),
    "Node.js: list all": _node("fs.readdirSync(params.store);"),
    "Node.js: list all, without packages": _node("fs.readdirSync(params.store);", packages=False),
    "Node.js: list all by /proc": _node("fs.readdirSync('/proc/self/root' + params.store);"),
    "Node.js: list theirs": _node("fs.readdirSync(params.theirs);", open="done"),
    "Node.js: watch all": _node("fs.watch(params.store).close();", "refused (EACCES|ENOSYS)"),
    "Node.js: guess": _node(_NODE_GUESSES, "refused ENOENT"),
    "Node.js: guess, without packages": _node(_NODE_GUESSES, "refused ENOENT", packages=False),
    "Node.js: read its own": _node("fs.readFileSync(params.own + '/secret.py');", "done"),
    "Node.js: change its own": _node("fs.appendFileSync(params.own + '/secret.py', 'x');"),
    "Node.js: add to its own": _node("fs.writeFileSync(params.own + '/node_modules/new.js', '');"),
    "Node.js: open its own up": _node("fs.chmodSync(params.own + '/secret.py', 0o666);", "refused EPERM"),
    "Node.js: rename its own": _node("fs.renameSync(params.own, params.own + '0');"),
}
OPEN = {name: attempt for name, attempt in ATTEMPTS.items() if attempt.open}


def _packages(of: str) -> Environment:
    return environment(
        {"secret.py": f"OF = '{of}'\n", "node_modules/secret/index.js": f"exports.of = '{of}';"}
    )


def _attempt(runtime: Runtime, attempt: Attempt) -> str:
    """Run an attempt beside another tenant's script with packages. Return its verdict."""
    places, digests = {}, {}
    for tenant in ("t1", "sibling"):
        digests[tenant] = runtime.keep(_packages(tenant))
        answer = runtime.run(_WHERE[runtime.language], tenant=tenant, environment=digests[tenant])
        places[tenant] = answer.json["result"]
    params = {
        "own": places["t1"],
        "theirs": places["sibling"],
        "store": places["sibling"].rpartition("/")[0],
        "digest": digests["sibling"],
    }
    more = {"environment": digests["t1"]} if attempt.packages else {}
    return runtime.run(attempt.script, params, **more).verdict


@pytest.mark.parametrize("name", ATTEMPTS)
def test_packages_are_closed_to_others_and_to_changes(name: str, runtimes: Runtimes) -> None:
    attempt = ATTEMPTS[name]
    verdict = _attempt(runtimes(attempt.language), attempt)
    assert re.fullmatch(attempt.verdict, verdict), verdict
    check_clean(runtimes, attempt.language)


@pytest.mark.parametrize("name", OPEN)
def test_packages_of_others_are_open_without_landlock(name: str, runtimes: Runtimes) -> None:
    attempt = OPEN[name]
    assert _attempt(runtimes(attempt.language, FILES), attempt) == attempt.open


def test_no_script_finds_the_name_of_an_environment_in_its_memory(runtimes: Runtimes) -> None:
    runtime = runtimes("python")
    digest = runtime.keep(_packages("sibling"))
    place = runtime.run(_WHERE["python"], tenant="sibling", environment=digest).json["result"]
    searching = """
import re
def handle(params):
    found, pattern = 0, re.compile(params["pattern"].encode())
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if " rw" in line and end - start < 1 << 28:
                memory.seek(start)
                found += len(pattern.findall(memory.read(end - start)))
    return found
"""
    name = place.rpartition("/")[2]
    pattern = {"pattern": f"{name[:-1]}[{name[-1]}]"}
    assert runtime.run(searching, pattern).json["result"] == 0
    assert runtime.run(searching, pattern, tenant="sibling", environment=digest).json["result"] > 0
