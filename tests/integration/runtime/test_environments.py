"""Scripts with packages of their own: what they can import, and what a runtime answers until it has them."""

from typing import Any

import pytest

from tests.environments import environment
from tests.integration.runtime.served import ServedRuntime, document

PYTHON = environment(
    {
        "shapes/__init__.py": "from importlib import resources\n"
        "SIDES = int((resources.files(__name__) / 'sides.txt').read_text())\n",
        "shapes/sides.txt": "4",
        "shapes/empty.txt": "",
        "spaced/round/__init__.py": "NAME = 'round'\n",
        "spaced/flat.py": "NAME = 'flat'\n",
        "loose.py": "VALUE = 'of the environment'\n",
        "json.py": "raise ImportError('the standard library has this name')\n",
        "shapes-1.2.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: shapes\nVersion: 1.2.3\n",
        "shapes-1.2.3.dist-info/RECORD": "shapes/__init__.py,,\n",
        "bin/tool": "#!/bin/sh\n",
    },
    executable={"bin/tool"},
)
NODEJS = environment(
    {
        "node_modules/common/package.json": '{"name": "common", "version": "1.0.0", "main": "lib"}',
        "node_modules/common/lib/index.js": "const fs = require('fs'), { join } = require('path');\n"
        "exports.kind = 'common';\nexports.data = fs.readFileSync(join(__dirname, 'data.txt'), 'utf8');\n"
        "exports.inner = require('inner');\n",
        "node_modules/common/lib/data.txt": "data",
        "node_modules/common/lib/sub.js": "module.exports = 'sub';",
        "node_modules/common/node_modules/inner/index.js": "module.exports = 'nested';",
        "node_modules/inner/index.js": "module.exports = 'top';",
        "node_modules/buffer/index.js": "exports.kind = 'package';",
        "node_modules/buffer/package.json": '{"name": "buffer", "main": "index.js"}',
        "node_modules/@scope/dual/package.json": '{"name": "@scope/dual", "exports": {".": {"import": "./esm.mjs", '
        '"require": "./common.cjs"}, "./part": {"import": "./part.mjs", "require": "./part.cjs"}}}',
        "node_modules/@scope/dual/esm.mjs": "export { kind as inner } from '@scope/dual/part';\n"
        "export const kind = 'module';\nexport default kind;\n",
        "node_modules/@scope/dual/common.cjs": "exports.kind = 'common';",
        "node_modules/@scope/dual/part.mjs": "export const kind = 'part of a module';",
        "node_modules/@scope/dual/part.cjs": "exports.kind = 'part';",
    }
)
KEPT = {"python": PYTHON, "nodejs": NODEJS}
IMPORTING = {"python": "import loose\nresult = loose.VALUE", "nodejs": "return require('common').kind;"}


@pytest.fixture
def runtime(interpreter: ServedRuntime) -> ServedRuntime:
    interpreter.keep(KEPT[interpreter.language])
    return interpreter


def missing(runtime: ServedRuntime, digest: str, **more: Any) -> list[int]:
    """Return the numbers of the parts without which a runtime does not run a script."""
    answer = runtime.run(IMPORTING[runtime.language], environment=digest, **more)
    error = document(answer)["error"]
    assert (answer.status_code, error["code"]) == (409, "ENVIRONMENT_NEEDED"), error
    numbers: list[int] = error["details"]["missing"]
    return numbers


PYTHON_CASES = {
    "a package with a data file": ("import shapes\nresult = shapes.SIDES", 4),
    "packages of a namespace": (
        "import spaced.round, spaced.flat\nresult = [spaced.round.NAME, spaced.flat.NAME]",
        ["round", "flat"],
    ),
    "what is installed": (
        "from importlib import metadata\nresult = [metadata.version('shapes'),"
        " [found.name for found in metadata.distributions()]]",
        ["1.2.3", ["shapes"]],
    ),
    "a list of its modules": (
        "import pkgutil, spaced\nresult = [found.name for found in pkgutil.iter_modules(spaced.__path__)]",
        ["flat", "round"],
    ),
    "no module in place of the standard library's": ("import json\nresult = json.loads('[1]')", [1]),
    "moves between folders of its own": (
        "import os\nos.makedirs('a', exist_ok=True)\nopen('b', 'w').close()\nos.rename('b', 'a/b')\n"
        "os.link('a/b', 'c')\nos.unlink('c')\nresult = os.listdir('a')",
        ["b"],
    ),
    "modes": (
        "import os, sys\n[place] = [entry for entry in sys.path if 'environments' in entry]\n"
        "names = ('', 'bin', 'bin/tool', 'loose.py')\n"
        "result = [oct(os.stat(os.path.join(place, name)).st_mode & 0o7777) for name in names]",
        ["0o555", "0o555", "0o555", "0o444"],
    ),
}
NODEJS_CASES = {
    "require": (
        "const all = require('common'); return [all.kind, all.data, all.inner];",
        ["common", "data", "nested"],
    ),
    "require of a place": (
        "return [require('common/lib/sub'), require('@scope/dual/part').kind];",
        ["sub", "part"],
    ),
    "import": (
        "import dual, { inner } from '@scope/dual';\nimport { kind } from 'common';\n"
        "export default async () => [dual, inner, kind, (await import('@scope/dual/part')).kind];",
        ["module", "part of a module", "common", "part of a module"],
    ),
    "declared require": (
        "return [require('npm:common@^1.0.0').kind, require('npm:@scope/dual@1 || 2/part').kind,"
        " require('npm:inner'), require.resolve('npm:common@1') === require.resolve('common')];",
        ["common", "part", "top", True],
    ),
    "declared import": (
        "import dual from 'npm:@scope/dual@>=1 <3';\nexport { kind } from 'npm:@scope/dual/part';\n"
        'import * as common from "npm:common@latest/lib/index.js";\n'
        "export default async () => [dual, common.kind, (await import('npm:common@1')).default.data];",
        ["module", "common", "data"],
    ),
    "a package that is named like a built-in module": (
        "const { kind } = await import('npm:buffer@6');\n"
        "return [kind, require('npm:buffer@6').kind, typeof require('buffer').Buffer];",
        ["package", "package", "function"],
    ),
    "a thread": (
        "const { Worker } = require('worker_threads');\n"
        'const code = \'require("worker_threads").parentPort.postMessage(require("inner"))\';\n'
        "return new Promise((resolve, reject) =>\n"
        "  new Worker(code, { eval: true }).once('message', resolve).once('error', reject));",
        "top",
    ),
}
CASES = [
    pytest.param(language, script, expected, id=f"{language}: {name}")
    for language, cases in (("python", PYTHON_CASES), ("nodejs", NODEJS_CASES))
    for name, (script, expected) in cases.items()
]


@pytest.mark.parametrize(("interpreter", "script", "expected"), CASES, indirect=["interpreter"])
def test_a_script_imports_its_packages(runtime: ServedRuntime, script: str, expected: object) -> None:
    digest = KEPT[runtime.language].digest
    assert runtime.prepare(script, environment=digest).status_code == 200
    for isolation in ("session", "execution"):
        assert runtime.result(script, environment=digest, isolation=isolation) == expected


@pytest.mark.parametrize(
    "form", ["return require('{}');", "return import('{}');", "import x from '{}';\nexport default () => x;"]
)
@pytest.mark.parametrize("kept", [True, False])
def test_what_is_not_among_the_packages_is_named(typescript: ServedRuntime, form: str, *, kept: bool) -> None:
    more: dict[str, Any] = {"environment": typescript.keep(NODEJS)} if kept else {}
    error = document(typescript.run(form.format("npm:absent@^2/part"), **more))["error"]
    expected = (
        "Cannot find module 'absent/part': 'npm:absent@^2/part' is not among the packages of this script"
    )
    assert (error["code"], error["message"]) == ("RUNTIME_ERROR", expected)


def test_only_its_own_scripts_import_the_packages(runtime: ServedRuntime) -> None:
    script, digest = IMPORTING[runtime.language], KEPT[runtime.language].digest
    assert runtime.result(script, environment=digest)
    assert runtime.failure(script)["kind"] == "exception"


def test_errors_and_output_do_not_tell_where_packages_are(runtime: ServedRuntime) -> None:
    script = {
        "python": "import loose\nprint(loose.__file__)\nraise ValueError(loose.__file__)",
        "nodejs": "const place = require.resolve('inner');\nconsole.error(place);\nthrow new Error(place);",
    }[runtime.language]
    answer = runtime.run(script, environment=KEPT[runtime.language].digest)
    error = document(answer)["error"]
    place = {"python": "/packages/loose.py", "nodejs": "/packages/node_modules/inner/index.js"}[
        runtime.language
    ]
    assert error["message"] == place
    assert error["details"]["stdout"] + error["details"]["stderr"] == place + "\n"
    assert "environments-" not in str(error)


def test_a_script_without_packages_lists_no_environments(runtime: ServedRuntime) -> None:
    """Whoever runs the runtime: root, too, whom modes of folders do not stop."""
    where = {
        "python": "import sys\nresult = sys.path[-1]",
        "nodejs": "return require('path').dirname(process.env.NODE_PATH);",
    }[runtime.language]
    place = runtime.result(where, environment=KEPT[runtime.language].digest)
    assert "environments-" in place
    listing = {
        "python": "import os\ndef handle(params):\n    return os.listdir(params['store'])\n",
        "nodejs": "module.exports = ({ params }) => require('fs').readdirSync(params.store);",
    }[runtime.language]
    failure = runtime.failure(listing, {"store": place.rpartition("/")[0]})
    assert failure["type"] in ("PermissionError", "Error")


def test_packages_of_the_script_come_before_those_of_the_deployment(
    packaged_python: ServedRuntime, packaged_nodejs: ServedRuntime
) -> None:
    digest = packaged_python.keep(PYTHON)
    script = "import loose, shapes, sys\nresult = loose.VALUE"
    assert packaged_python.result(script, environment=digest) == "of the environment"
    assert packaged_python.result("import loose\nresult = loose.VALUE") == 7
    digest = packaged_nodejs.keep(NODEJS)
    script = (
        "return [require('@scope/dual/part').kind, require('twice')(4), (await import('twice')).default(2)];"
    )
    assert packaged_nodejs.result(script, environment=digest) == ["part", 8, 4]


def test_a_runtime_names_the_parts_it_lacks(interpreter: ServedRuntime) -> None:
    large = environment({"node_modules/a.js": bytes(9 << 20), "loose.py": "VALUE = 1\n", "z": b"end"})
    assert len(large.parts) == 4
    assert missing(interpreter, large.digest) == [0]
    assert missing(interpreter, large.digest, isolation="execution") == [0]
    assert interpreter.prepare("result = 1", environment=large.digest).status_code == 409
    early = interpreter.put(large.digest, 2, large.parts[2])
    assert document(early)["error"]["details"]["missing"] == [0]
    for number, left in ((0, [1, 2, 3]), (2, [1, 3]), (2, [1, 3]), (1, [3])):
        assert interpreter.put(large.digest, number, large.parts[number]).status_code == 204
        assert missing(interpreter, large.digest) == left
    assert interpreter.put(large.digest, 3, large.parts[3]).status_code == 204
    size = {
        "python": "import os, sys\n[place] = [entry for entry in sys.path if 'environments' in entry]\n"
        "result = os.path.getsize(place + '/node_modules/a.js')",
        "nodejs": "return require('fs').statSync(process.env.NODE_PATH + '/a.js').size;",
    }[interpreter.language]
    assert interpreter.result(size, environment=large.digest) == 9 << 20
    assert interpreter.put(large.digest, 1, b"what it has already").status_code == 204
    assert interpreter.put(large.digest, 4, b"").status_code == 400


def test_a_language_without_packages_refuses_environments(rust_runtime: ServedRuntime) -> None:
    sent = environment({"file": "1"})
    for answer in (
        rust_runtime.put(sent.digest, 0, sent.parts[0]),
        rust_runtime.run("pub fn handler() {}", environment=sent.digest),
    ):
        assert (answer.status_code, document(answer)["error"]["code"]) == (400, "INVALID_REQUEST")
