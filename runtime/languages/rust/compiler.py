"""The compilation of a script: its options, the command line of rustc, and the errors in rustc's output."""

import json
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from runtime.errors import InitializationFailed
from runtime.languages.rust.toolchain import WASI_TARGETS, Glue, Toolchain
from runtime.process.hints import Allowed, hint

SCRIPT = "script.rs"
MODULE = "script.wasm"

HANDLER = (
    "pub fn handler(context: serde_json::Map<String, serde_json::Value>) -> Result<serde_json::Value, String>"
)

_OPTIMIZATION = {
    "debug": ("-C", "opt-level=0", "-C", "debug-assertions=yes"),
    "release": ("-C", "opt-level=2"),
}

#: The worker reads this global to detect an exhausted stack. Old linkers refuse the export without the second option.
_STACK_POINTER = ("-C", "link-arg=--export=__stack_pointer", "-C", "link-arg=--no-check-features")

#: Reasons why rustc was killed, by signal.
_EXHAUSTED: dict[int, str] = {
    signal.SIGABRT: "the script needs more memory to compile than there is",
    signal.SIGSEGV: "the script is nested too deeply to be compiled",
    signal.SIGXFSZ: "the script becomes too large when it is compiled",
}

#: Bytes of a script's stack, as many as a native program has on Linux. WebAssembly's linkers give an eighth of it.
STACK_BYTES = 8 << 20
_STACK_SIZE = ("-C", "link-arg=-z", "-C", f"link-arg=stack-size={STACK_BYTES}")

#: The last line of the crate: see `glue.rs`. It is behind the script, which may begin with inner attributes.
_ENTRY = "\n::lambda_glue::entry!(handler);\n"

_FEATURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]{0,63}")
_MAX_FEATURES = 32
_MAX_DIAGNOSTICS = 20
_MAX_RENDERED = 4000


@dataclass(frozen=True)
class Options:
    """`compile_options` of the contract, with defaults, in canonical form."""

    optimization_level: str
    features: tuple[str, ...]
    target: str

    @classmethod
    def of(cls, compile_options: Mapping[str, Any]) -> Self:
        """Check the options of a request.

        Raises:
            InitializationFailed: An option is not supported; the message names what is.
        """
        given = {name: value for name, value in compile_options.items() if value is not None}
        level = given.get("optimization_level", "release")
        if level not in list(_OPTIMIZATION):
            raise _unsupported("optimization_level", level, list(_OPTIMIZATION))
        target = given.get("target", WASI_TARGETS[0])
        if target not in WASI_TARGETS:
            raise _unsupported("target", target, list(WASI_TARGETS))
        features = given.get("features", [])
        if not _are_features(features):
            raise _unsupported("features", features, [f"at most {_MAX_FEATURES} names"])
        return cls(level, tuple(sorted(set(features))), WASI_TARGETS[0])

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the options from their `text`."""
        fields = json.loads(text)
        return cls(fields["optimization_level"], tuple(fields["features"]), fields["target"])

    @property
    def text(self) -> str:
        """The canonical text of the options, which is part of keys."""
        return json.dumps(asdict(self), sort_keys=True)


def compiler_command(toolchain: Toolchain, glue: Glue, options: Options) -> tuple[str, ...]:
    """Return the command that compiles the script in the current folder."""
    features = [part for feature in options.features for part in ("--cfg", f'feature="{feature}"')]
    return tuple(
        toolchain.command(
            *(
                "--crate-type",
                "cdylib",
                "--crate-name",
                "script",
                "--edition",
                "2021",
                "--error-format",
                "json",
            ),
            *("-C", "codegen-units=4", "-C", "strip=debuginfo", *_STACK_POINTER, *_STACK_SIZE),
            # Our own flags need an unlocked compiler, with which a script must not use unstable features.
            *("-Z", "allow-features="),
            *_OPTIMIZATION[options.optimization_level],
            *features,
            *glue.arguments(),
            *("-o", MODULE, SCRIPT),
        )
    )


def compiler_files(content: str) -> dict[str, bytes]:
    """Return the files of the compiler's folder."""
    return {SCRIPT: (content + _ENTRY).encode()}


def compile_failure(content: str, output: str, status: int) -> InitializationFailed:
    """Return the error of a script that did not compile, from rustc's output and exit status."""
    diagnostics = [_diagnostic(message, content) for message in _messages(output)]
    errors = [diagnostic for diagnostic in diagnostics if diagnostic["level"].startswith("error")]
    if not errors:
        ending = f"signal {-status}" if status < 0 else f"status {status}"
        return refusal(_EXHAUSTED.get(-status, f"the compiler ended with {ending}"))
    first = errors[0]
    ordered = errors + [diagnostic for diagnostic in diagnostics if diagnostic not in errors]
    told = hint(first, None, Allowed("rust"))
    return InitializationFailed(
        first["message"],
        stage="compile",
        line=first["line"],
        column=first["column"],
        diagnostics=ordered[:_MAX_DIAGNOSTICS],
        **({} if told is None else {"hint": told}),
    )


def refusal(message: str, **more: Any) -> InitializationFailed:
    """Return the error of a compilation without diagnostics."""
    return InitializationFailed(message, stage="compile", line=None, column=None, diagnostics=[], **more)


def _unsupported(option: str, value: object, supported: list[str]) -> InitializationFailed:
    text = f"compile_options.{option} {json.dumps(value)} is not supported; supported: {', '.join(supported)}"
    return refusal(text, supported=supported)


def _are_features(features: object) -> bool:
    return (
        isinstance(features, list)
        and len(features) <= _MAX_FEATURES
        and all(isinstance(feature, str) and _FEATURE.fullmatch(feature) for feature in features)
    )


def _messages(output: str) -> Iterator[dict[str, Any]]:
    """Return rustc's messages about the code, without its final count of errors."""
    for line in output.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue  # a line that was cut, or output of the linker
        if message.get("level") in ("error", "warning", "error: internal compiler error") and not (
            message["message"].startswith("aborting due to")
            or message["message"].endswith("warnings emitted")
        ):
            yield message


def _diagnostic(message: dict[str, Any], content: str) -> dict[str, Any]:
    """Return a message of rustc as a diagnostic of the contract, with a place in the user's script."""
    primary = next((span for span in message["spans"] if span["is_primary"]), None)
    place = _place_in_script(primary)
    if place is None:
        # A message about linking contains our commands and paths, so its text is replaced.
        linking = message["message"].startswith("linking with")
        return _about(message, "the compiled script cannot be linked" if linking else message["message"])
    if place["line_start"] > content.count("\n") + 1:
        return _diagnostic_of_entry(message, content)
    return {
        **_about(message, message["message"]),
        "line": place["line_start"],
        "column": place["column_start"],
        "rendered": message["rendered"][:_MAX_RENDERED],
    }


def _place_in_script(span: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the span, or the place in the script where the macro was used that led to it."""
    while span and not span["file_name"].endswith(SCRIPT):
        span = span["expansion"] and span["expansion"]["span"]
    return span


def _diagnostic_of_entry(message: dict[str, Any], content: str) -> dict[str, Any]:
    """Return the diagnostic of an error in our line: the script does not end, or its `handler` has the wrong form."""
    match (message["code"] or {}).get("code"):
        case "E0308":
            notes = [
                child["message"] for child in message["children"] if child["message"].startswith("expected")
            ]
            text = "\n".join([f"`handler` has another form than `{HANDLER}`", *notes])
        case "E0423" | "E0425" | "E0574":
            text = f"there is no function `handler`: write `{HANDLER}`"
        case _:
            last = content.rpartition("\n")[2]
            end = {"line": content.count("\n") + 1, "column": len(last) + 1}
            return {**_about(message, message["message"]), **end}
    return {**_about(message, text), **_place_of_handler(content)}


def _place_of_handler(content: str) -> dict[str, int | None]:
    """Search the handler by text, because rustc names our line only. The place is a hint."""
    found = re.search(r"\bfn[ \t]+(handler)\b", content)
    if found is None:
        return {"line": None, "column": None}
    before = content[: found.start(1)]
    return {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}


def _about(message: dict[str, Any], text: str) -> dict[str, Any]:
    code = (message["code"] or {}).get("code")
    return {
        "level": message["level"],
        "code": code,
        "message": text,
        "line": None,
        "column": None,
        "rendered": None,
    }
