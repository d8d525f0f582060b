"""FunctionRegistrar: makes versions of functions (`PUT /functions/{language_title}`)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from controller.auth.authenticator import require_execute, require_write
from controller.call import Call
from controller.declarations.declared import Declared
from controller.errors import Conflict, InitializationFailed, InvalidRequest, PreconditionFailed
from controller.execution.runner import EnvironmentUse, ScriptRunner
from controller.execution.script_packages import Pinned, ScriptPackages
from controller.execution.verification import ExampleVerifier
from controller.json_schema.checks import check_schema
from controller.limits.quotas import Quotas
from controller.models.registered import ArtifactKey, FunctionRef, Identity, Script, canonical
from controller.models.requests import NO_PACKAGES, PutFunctionRequest
from controller.models.responses import FunctionDetail
from controller.models.stored import FunctionContent
from controller.registry.functions import FunctionCatalog, OwnFunction
from controller.registry.writes import artifact_writes, script_writes
from controller.runtimes.client import Prepared

#: Attempts to make a version while other requests make theirs first. In each round, one request succeeds.
TRIES = 50
#: What a new function has where its request says nothing.
NEW = FunctionContent("", {})


class FunctionRegistrar:
    """Makes versions of functions.

    Args:
        functions: reads and writes functions.
        quotas: bound what one user may have.
        runner: prepares scripts.
        packages: finds and installs the packages of scripts.
        verifier: runs the examples of a version.
    """

    def __init__(
        self,
        *,
        functions: FunctionCatalog,
        quotas: Quotas,
        runner: ScriptRunner,
        packages: ScriptPackages,
        verifier: ExampleVerifier,
    ) -> None:
        self._functions = functions
        self._quotas = quotas
        self._runner = runner
        self._packages = packages
        self._verifier = verifier

    def put(self, call: Call, identity: Identity, request: PutFunctionRequest) -> tuple[FunctionDetail, bool]:
        """Make a version of the caller's function, unless it would equal the newest one.

        Two requests at the same time make two versions, each from the newest that it finds.

        Returns:
            The newest version, and whether it is new.

        Raises:
            ServiceError: one of its subclasses, see the contract.
        """
        name, owner = request.name, identity.subject
        call.name, call.payload = name, {"given": sorted(request.fields)}
        check_schemas(request.fields.get("schema", {}))
        route = self._runner.route(name)
        call.language = route.language
        require_write(identity, name.language)
        if request.verify:
            # The right to write alone runs nothing.
            require_execute(identity, name.language)
        prepared: dict[tuple[ArtifactKey, str | None], Prepared] = {}
        installed: dict[Declared, str | None] = {}
        verified: set[str] = set()
        until = self._packages.deadline()
        for _ in range(TRIES):
            newest = self._functions.newest_own(name, owner)
            _check_condition(request, newest)
            content, script = _content(request, newest)
            if newest is None:
                self._quotas.check(owner, name, registers=True, begins=False)
            content = self._with_packages(call, request, newest, content, script, installed, until)
            if newest is not None and canonical_content(newest.content) == canonical_content(content):
                return self._shown(request, owner, newest.version), False
            call.script_hash = script.hash
            key = ArtifactKey(script.hash, name.language, canonical(content.compile_options))
            ready, use = (key, content.environment), EnvironmentUse(content.environment, until)
            if ready not in prepared:
                prepared[ready] = self._runner.prepare(
                    route, name, script, content.compile_options, call, use
                )
            text = canonical_content(content)
            if request.verify and text not in verified:
                self._verifier.verify(call, name, content, script, prepared[ready])
                verified.add(text)
            made = self._write(request, owner, newest, content, script, key, prepared[ready])
            if made is not None:
                return self._shown(request, owner, made), True
        raise Conflict("other requests keep changing this function: try again")

    def _with_packages(
        self,
        call: Call,
        request: PutFunctionRequest,
        newest: OwnFunction | None,
        content: FunctionContent,
        script: Script,
        installed: dict[Declared, str | None],
        until: float,
    ) -> FunctionContent:
        """Return the version with its packages, installed. `installed` has what this request has installed before."""
        language, asked = call.language or "", request.packages
        wanted = self._packages.wanted(language, script.content, asked, content.packages)
        if wanted.declared not in installed:
            pinned = Pinned()
            if newest is not None:
                # Of a declaration that an earlier release took unread, nothing is kept.
                with suppress(InitializationFailed):
                    before = self._packages.wanted(
                        language, newest.script.content, NO_PACKAGES, newest.content.packages
                    )
                    pinned = Pinned(before.declared, newest.content.environment)
            installed[wanted.declared] = self._packages.environment(
                call, language, wanted.declared, asked, pinned, until
            )
        return replace(content, packages=list(wanted.field), environment=installed[wanted.declared])

    def _shown(self, request: PutFunctionRequest, owner: str, version: int) -> FunctionDetail:
        return self._functions.detail(FunctionRef(request.name, str(version)), owner)

    def _write(
        self,
        request: PutFunctionRequest,
        owner: str,
        newest: OwnFunction | None,
        content: FunctionContent,
        script: Script,
        key: ArtifactKey,
        prepared: Prepared,
    ) -> int | None:
        writes = script_writes(script)
        if prepared.artifact is not None:
            writes += artifact_writes(key, prepared.artifact)
        based_on = 0 if newest is None else newest.version
        return self._functions.put_version(request.name, owner, based_on, content, writes)


def check_schemas(schemas: Mapping[str, Any]) -> None:
    """Check the JSON Schemas of a function. Raises InvalidRequest, with pointers into the request."""
    for name, schema in schemas.items():
        try:
            check_schema(schema)
        except InvalidRequest as error:
            place = f"/schema/{name}"
            inside = error.details.get("errors") or [{"pointer": "", "message": error.message}]
            errors = [{"pointer": place + each["pointer"], "message": each["message"]} for each in inside]
            message = "; ".join(f"{each['pointer']}: {each['message']}" for each in errors)
            raise InvalidRequest(message, details={"errors": errors}) from error


def canonical_content(content: FunctionContent) -> str:
    """Return a text that is the same for equal versions alone."""
    return canonical({name: getattr(content, name) for name in FunctionContent.__slots__})


def _check_condition(request: PutFunctionRequest, newest: OwnFunction | None) -> None:
    """Raise PreconditionFailed if the newest version is not one that `If-Match` names."""
    if request.if_match is None:
        return
    if newest is None or not request.if_match & {"*", str(newest.version)}:
        found = "there is no such function" if newest is None else f"the newest version is {newest.version}"
        raise PreconditionFailed(f"If-Match does not hold: {found}")


def _content(request: PutFunctionRequest, newest: OwnFunction | None) -> tuple[FunctionContent, Script]:
    """Return the version that the request asks for. Fields that it leaves out are those of the newest version."""
    fields = dict(request.fields)
    script = request.script
    if script is None:
        if newest is None:
            fault = {"pointer": "/script_content", "message": "a new function needs it"}
            raise InvalidRequest("a new function needs script_content", details={"errors": [fault]})
        script = newest.script
    if "defaults" in fields:
        fields["compile_options"] = fields["defaults"].get("compile_options", {})
    content = NEW if newest is None else newest.content
    return replace(content, script_hash=script.hash, **fields), script
