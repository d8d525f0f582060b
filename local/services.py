"""What the service on one machine is made of, and what each part gets to see."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framing.place import PATH_MAX_BYTES, with_frames
from local.settings import Settings
from local.state import State
from local.stores.postgres import PostgresServer
from local.stores.redis import RedisServer
from local.supervisor.account import KEEPER, RUNNER, Account
from local.supervisor.managed_process import INTERPRETER
from local.supervisor.python_server import HttpServer, Program
from local.supervisor.zygote import Zygote

#: Language, and the variable of its port.
RUNTIMES = {"nodejs": "NODEJS_PORT", "python": "PYTHON_PORT", "rust": "RUST_PORT"}
#: Language, and the variable of its metrics' port.
METRICS = {language: variable.replace("_PORT", "_METRICS_PORT") for language, variable in RUNTIMES.items()}


@dataclass(frozen=True)
class Parts:
    """Makes the parts, from one state and one choice of settings.

    Args:
        code: the folder that parts load code from.
        rust: the folder of the Rust toolchain; None: what was compiled before runs, and nothing is compiled.
        zygote: forks the servers. None: each is a program of its own.
    """

    state: State
    settings: Settings
    code: Path
    rust: Path | None
    zygote: Zygote | None = None

    def postgres(self) -> PostgresServer:
        return PostgresServer(
            self.state.folder / "postgres",
            self.settings.ports["POSTGRES_PORT"],
            password=self.state.secret("POSTGRES_PASSWORD"),
            log=self.state.log("postgres"),
        )

    def redis(self) -> RedisServer:
        log = self.state.log("redis")
        return RedisServer(self.state.folder / "redis", self.settings.ports["REDIS_PORT"], log=log)

    def migration(self, postgres: PostgresServer) -> Program:
        """Brings the database to the newest schema, then ends."""
        return self._program(
            "migration", "controller.database.migrate", secrets={"POSTGRES_URL": postgres.url}
        )

    def forgetting(self, subject: str, postgres: PostgresServer, redis: RedisServer) -> Program:
        """Removes all of one user's data, then ends."""
        return self._program(
            "forget",
            "controller.database.forget_user",
            subject,
            variables={"REDIS_URL": redis.url},
            secrets={"POSTGRES_URL": postgres.url},
        )

    def rust_toolchain(self) -> tuple[Program, Program]:
        """Prepare the Rust toolchain and what every script is linked with; both are quick when it is there.

        They look for compilers as the user would, so they run as the user and see what the user sees. Where that is
        root they try a compiler as the scripts' account, which must get at their temporary files.
        """
        variables = {**os.environ, "TMPDIR": str(self.state.run_folder)}
        steps = ("local.fetch.rust_toolchain", "runtime.languages.rust.glue")
        toolchain, glue = (
            self._program(module.rpartition(".")[2], module, str(self.rust), variables=variables)
            for module in steps
        )
        return toolchain, glue

    def runtime(self, language: str, node: str) -> HttpServer:
        """A runtime sees neither the databases nor what tokens are signed with."""
        account = _server_account(RUNNER, self.code)
        variables = {
            **self.settings.runtime,
            "METRICS_PORT": str(self.settings.ports[METRICS[language]]),
            "STATE_DIR": str(self.state.kept_folder(f"runtime-{language}", account)),
        }
        own = {"nodejs": {"NODE": node}, "rust": {"RUST_TOOLCHAIN": str(self.rust or "")}}
        if place := self._frames(language):
            self.state.shared_folder(_frames_folder(language), account, _server_account(KEEPER, self.code))
            variables["RUNTIME_FRAMES"] = place
        return HttpServer(
            f"runtime-{language}",
            f"function.runtime_{language}.handler:app",
            self.settings.ports[RUNTIMES[language]],
            self.settings.grace,
            self.zygote,
            log=self.state.log(f"runtime-{language}"),
            account=account,
            code=self.code,
            private=self.state.private_folder(f"runtime-{language}", account),
            variables=variables | own.get(language, {}),
            secrets={"RUNTIME_SECRET": self.state.secret("RUNTIME_SECRET")},
        )

    def packages(self, node: str) -> HttpServer:
        """Resolves and installs packages. It alone is told what leads to a registry."""
        account = _server_account(RUNNER, self.code)
        ports = self.settings.ports
        return HttpServer(
            "packages",
            "function.packages.handler:app",
            ports["PACKAGES_PORT"],
            self.settings.grace,
            self.zygote,
            log=self.state.log("packages"),
            account=account,
            code=self.code,
            private=self.state.private_folder("packages", account),
            variables={
                **self.settings.packages,
                "METRICS_PORT": str(ports["PACKAGES_METRICS_PORT"]),
                "STATE_DIR": str(self.state.kept_folder("packages", account)),
                "NODE": node,
            },
            secrets={"PACKAGES_SECRET": self.state.secret("PACKAGES_SECRET")},
        )

    def controller(
        self,
        postgres_url: str,
        redis_url: str,
        languages: Sequence[str],
        *,
        packages: bool = False,
        number: int = 1,
        port: int | None = None,
    ) -> HttpServer:
        """The first controller, or a further one beside it on a port that is not in the settings.

        Args:
            postgres_url: of PostgreSQL.
            redis_url: of Redis.
            languages: those that have a runtime.
            packages: whether there is the part that installs packages.
            number: of this controller.
            port: None: that of the settings.
        """
        suffix = "" if number == 1 else f"-{number}"
        name = f"controller{suffix}"
        account = _server_account(KEEPER, self.code)
        private = self.state.private_folder(name, account)
        ports = self.settings.ports
        urls = ",".join(f"{each}={self._runtime_address(each)}" for each in languages)
        variables = {
            "RUNTIME_URLS": urls,
            **(self._ways_to_packages(account) if packages else {}),
            **self.settings.controller,
            "REDIS_URL": redis_url,
            "METRICS_PORT": str(ports["METRICS_PORT"]),
            "SPOOL_DIR": str(self.state.kept_folder(f"spool{suffix}", account)),
        }
        named = ("JWT_SECRET", "RUNTIME_SECRET", *(("PACKAGES_SECRET",) if packages else ()))
        secrets = {each: self.state.secret(each) for each in named}
        return HttpServer(
            name,
            "function.service:app",
            port or ports["PORT"],
            self.settings.grace,
            self.zygote,
            log=self.state.log(name),
            account=account,
            code=self.code,
            private=private,
            variables=variables,
            secrets=secrets | {"POSTGRES_URL": postgres_url},
        )

    def _runtime_address(self, language: str) -> str:
        address = f"http://127.0.0.1:{self.settings.ports[RUNTIMES[language]]}"
        place = self._frames(language)
        return with_frames(address, place) if place else address

    def _frames(self, language: str) -> str:
        """The Unix socket where a runtime takes frames; empty where its path cannot be one, or no part of a list."""
        path = str(self.state.run_folder / _frames_folder(language) / "socket")
        fits = len(os.fsencode(path)) <= PATH_MAX_BYTES and path.isascii() and "," not in path
        return f"unix:{path}" if fits else ""

    def _ways_to_packages(self, account: Account) -> dict[str, str]:
        return {
            "PACKAGES_URL": f"http://127.0.0.1:{self.settings.ports['PACKAGES_PORT']}",
            "ENVIRONMENTS_DIR": str(self.state.kept_folder("environments", account)),
        }

    def _program(
        self,
        name: str,
        module: str,
        *arguments: str,
        variables: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
    ) -> Program:
        """A program that runs once, as the user."""
        account = Account.own()
        return Program(
            name,
            ["-m", module, *arguments],
            log=self.state.log(name),
            account=account,
            code=self.code,
            private=self.state.private_folder(name, account),
            variables=variables or {},
            secrets=secrets or {},
        )


def _frames_folder(language: str) -> str:
    return f"frames-{language}"


def _server_account(name: str, code: Path) -> Account:
    """The account of a server; our own where the other cannot run this Python or read the code."""
    account = Account.named(name)
    interpreter = INTERPRETER.resolve()
    return account if account.reads(interpreter) and account.reads(code) else Account.own()
