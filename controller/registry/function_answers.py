"""Functions and aliases as the contract's answers have them."""

from typing import Any, cast

from msgspec import UNSET, UnsetType

from controller.declarations.declared import of_script
from controller.errors import InitializationFailed
from controller.models.registered import rfc3339
from controller.models.responses import (
    AliasAnswer,
    Canary,
    FunctionDefaults,
    FunctionDetail,
    FunctionExample,
    FunctionSchemas,
    FunctionSummary,
)
from controller.models.stored import Alias, FunctionTargets, StoredFunction


def summary_answer(function: StoredFunction) -> FunctionSummary:
    """Return a function as the list of functions shows it."""
    return FunctionSummary(**_summary(function))


def detail_answer(function: StoredFunction, script: str, targets: FunctionTargets) -> FunctionDetail:
    """Return a version of a function in detail. The script is included only for its owner.

    Args:
        function: the version.
        script: its script.
        targets: what references to the function may name.
    """
    content = function.content
    return FunctionDetail(
        **_summary(function),
        version=function.version,
        newest=function.newest,
        script_hash=content.script_hash,
        tags=list(content.tags),
        # Passed on as they are stored: only clients read these documents.
        schema=cast(FunctionSchemas, content.schema),
        enforce_result=content.enforce_result,
        examples=cast(list[FunctionExample], content.examples),
        defaults=cast(FunctionDefaults, content.defaults),
        packages=list(content.packages) or _declared(function.name.language, script),
        environment=content.environment,
        aliases=sorted(alias for alias, target in targets.aliases.items() if function.version in target[:2]),
        compile_options=dict(content.compile_options),
        script_content=script if function.type == "dynamic" else UNSET,
    )


def _declared(language: str, script: str) -> list[str]:
    """Return the packages that a script declares itself."""
    try:
        declared = of_script(language, script)
    except InitializationFailed:
        # An earlier release did not read declarations, and took any.
        return []
    return [] if declared is None else list(declared.packages)


def alias_answer(alias: str, target: Alias) -> AliasAnswer:
    """Return an alias as the contract defines it."""
    canary: Canary | UnsetType = UNSET
    if target.canary_version is not None and target.canary_weight is not None:
        canary = Canary(target.canary_version, target.canary_weight)
    return AliasAnswer(alias, target.version, canary)


def _summary(function: StoredFunction) -> dict[str, Any]:
    return {
        "language": function.name.language,
        "title": function.name.title,
        "language_title": str(function.name),
        "description": function.content.description,
        "type": function.type,
        "user_id": function.user_id,
        "created_at": rfc3339(function.created_at),
        "updated_at": rfc3339(function.updated_at),
    }
