"""The JavaScript client: packed, installed into an empty project, and used in front of the whole service."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.fetch.command import UnavailableError
from tests.acceptance.conftest import SCOPES
from tests.acceptance.deployment import Deployment
from tests.conftest import missing
from tools import npm
from tools.javascript_client import SOURCE, pack

#: A program in TypeScript, checked against the types of the package.
PROGRAM = """\
import { Client, ScriptError, type ExecuteAnswer } from 'lambda-microservice-client';

const client = new Client({ url: 'http://127.0.0.1:8080', token: () => 'secret' });
const { result, version } = await client.run<{ total: number }>('python-price', { net: 50 });
const total: number = result.total;
const answers: ExecuteAnswer[] = await client.map('python-price', [{ net: total + (version ?? 0) }]);
// @ts-expect-error: there is no such bucket.
await client.usage({ bucket: 'week' });
await client.putFunction('python-price', { script_content: String(answers.length) }, { ifMatch: 1 });
const said = (error: ScriptError): string => `${error.kind} in line ${error.line}: ${error.hint ?? error.stdout}`;
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has the package and nothing else, for it needs nothing else."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
    try:
        npm.run(folder, "install", "--offline", "--no-audit", "--no-fund", str(pack(folder)))
    except UnavailableError as reason:
        missing("no packages of npm", reason)
    for tests in (SOURCE / "test").iterdir():
        shutil.copy(tests, folder)
    return folder


def node(program: str, project: Path, *arguments: str, **variables: str) -> str:
    """Run Node.js in the project and return its output, which is shown if it fails."""
    environment = {**os.environ, **variables}
    command = [program, *arguments]
    done = subprocess.run(command, check=False, cwd=project, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def test_the_package_has_its_code_its_types_and_its_licence(project: Path) -> None:
    installed = project / "node_modules" / "lambda-microservice-client"
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    modules = {
        f"dist/{path.stem}{ending}" for path in (SOURCE / "src").iterdir() for ending in (".js", ".d.ts")
    }
    assert files == modules | {"package.json", "README.md", "dist/LICENSE"}


def test_a_program_in_typescript_uses_the_types(project: Path, node_program: str) -> None:
    (project / "program.ts").write_text(PROGRAM)
    compiler = SOURCE / "node_modules" / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"]
    node(node_program, project, str(compiler), *options, "program.ts")


def test_what_is_tried_again(project: Path, node_program: str) -> None:
    node(node_program, project, "--test", "retries.test.mjs")


def test_in_front_of_the_service(
    project: Path, node_program: str, service: Deployment, expired_token: str
) -> None:
    client = service.client()
    token = client.speaking_for(client.sub, SCOPES).token
    variables = {"URL": service.url, "TOKEN": token, "STALE_TOKEN": expired_token}
    node(node_program, project, "--test", "service.test.mjs", **variables)


def test_the_example_prints_what_it_says(project: Path, node_program: str, service: Deployment) -> None:
    example = re.findall(r"^```js\n(.*?)^```", (SOURCE / "README.md").read_text(), re.DOTALL | re.MULTILINE)[
        0
    ]
    (project / "example.mjs").write_text(example.replace("http://127.0.0.1:8080", service.url))
    printed = node(node_program, project, "example.mjs", TOKEN=service.client().token)
    assert printed.splitlines() == re.findall(r"console\.log\(.*\); // (.*)$", example, re.MULTILINE)
