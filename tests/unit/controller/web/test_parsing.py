"""RequestParser: what it reads, and the code of every refusal."""

import json
from typing import Any

import pytest

from controller.errors import InvalidParams, InvalidRequest, NotFound, ServiceError
from controller.models.registered import LanguageTitle, Script
from controller.models.requests import CacheDirectives, PackagesAsked
from controller.web import ids
from controller.web.parsing import RequestParser
from controller.web.request_schemas import EXECUTE

PARSER = RequestParser(script_max_bytes=100, body_max_bytes=2000)


def initialize(body: Any, language_title: str = "python-hello") -> Any:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return PARSER.initialize({"HTTP_LANGUAGE_TITLE": language_title}, encoded)


def execute(body: bytes, **headers: str) -> Any:
    return PARSER.execute("session", {f"HTTP_{name.upper()}": value for name, value in headers.items()}, body)


def test_an_empty_initialize_has_the_defaults_of_the_contract() -> None:
    call = initialize({})
    assert call.name == LanguageTitle("python", "hello")
    assert call.script is None
    assert (call.timeout_ms, call.retain_session, call.isolation) == (30_000, True, "session")
    assert call.context == {}
    assert call.compile_options == {}


def test_the_script_sees_all_of_the_context_but_what_steers_the_service() -> None:
    context = {
        "environment": "production",
        "user_id": "user-123",
        "tenant": {"deep": [1]},
        "timeout_ms": 50,
        "retain_session": False,
        "compile_options": {"optimization_level": "debug", "features": ["a"], "target": "wasm32-wasi"},
        "isolation": "execution",
        "packages": ["pandas"],
        "lock": "pandas==1",
        "refresh_packages": True,
    }
    call = initialize({"context": context, "script_content": "result = 1"})
    assert call.context == {"environment": "production", "user_id": "user-123", "tenant": {"deep": [1]}}
    assert call.compile_options == context["compile_options"]
    assert (call.timeout_ms, call.retain_session, call.isolation) == (50, False, "execution")
    assert call.script == Script.of("result = 1")
    assert call.packages == PackagesAsked(["pandas"], "pandas==1", refresh=True, place="/context")


@pytest.mark.parametrize(
    "context",
    [
        {"packages": ["a"]},
        {"packages": []},
        {"lock": "a==1"},
        {"refresh_packages": True},
        *({"packages": bad, "script": 1} for bad in ("a", [1], [""], ["a" * 513], ["a"] * 101)),
        {"lock": "\0", "script": 1},
        {"lock": ["a"], "script": 1},
    ],
)
def test_packages_need_a_script_and_are_bounded(context: dict[str, Any]) -> None:
    script = {"script_content": "result = 1"} if context.pop("script", None) else {}
    with pytest.raises(InvalidRequest, match=r"/context/(packages|lock)"):
        initialize({"context": context, **script})


@pytest.mark.parametrize(
    "title",
    [
        *(
            "",
            "python",
            "python-",
            "-hello",
            "Python-hello",
            "py.thon-x",
            "python-.x",
            "python-a b",
            "python-é",
        ),
        *("python-" + "x" * 65, "p" * 70 + "-" + "x" * 64, "python-x\n", "1python-x"),
    ],
)
def test_a_malformed_language_title_is_refused(title: str) -> None:
    with pytest.raises(InvalidRequest, match="Language-Title"):
        ids.language_title(title)


def test_a_missing_language_title_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="missing"):
        ids.function_ref(None)


@pytest.mark.parametrize("title", ["python-a", "nodejs-A.b_c-d", "rust-" + "x" * 64, "c4-9"])
def test_a_language_title_is_read(title: str) -> None:
    assert str(ids.language_title(title)) == title


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"context": {"timeout_ms": "soon"}}, "/context/timeout_ms"),
        ({"context": {"timeout_ms": 0}}, "/context/timeout_ms"),
        ({"context": {"timeout_ms": 1.5}}, "/context/timeout_ms"),
        ({"context": {"timeout_ms": "5"}}, "/context/timeout_ms"),
        ({"context": {"timeout_ms": True}}, "/context/timeout_ms"),
        ({"context": {"retain_session": "yes"}}, "/context/retain_session"),
        ({"context": {"retain_session": 1}}, "/context/retain_session"),
        ({"context": {"isolation": "none"}}, "/context/isolation"),
        ({"context": {"environment": 1}}, "/context/environment"),
        (
            {"context": {"compile_options": {"optimization_level": "max"}}},
            "/context/compile_options/optimization_level",
        ),
        ({"context": {"compile_options": {"features": "a"}}}, "/context/compile_options/features"),
        ({"context": {"compile_options": {"features": ["\ud800"]}}}, "/context/compile_options/features/0"),
        ({"context": {"compile_options": {"target": "\0"}}}, "/context/compile_options/target"),
        ({"context": {"compile_options": {"linker": "x"}}}, "/context/compile_options/linker"),
        ({"context": []}, "/context"),
        ({"script_content": 1}, "/script_content"),
        ({"script_content": ""}, "/script_content"),
        ({"script_content": "\0"}, "/script_content"),
        ({"script_content": "\ud800"}, "/script_content"),
        ({"script": "x"}, "/script"),
    ],
)
def test_a_wrong_field_is_pointed_at(body: Any, pointer: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        initialize(body)
    assert refused.value.status == 400
    assert [error["pointer"].startswith(pointer) for error in refused.value.details["errors"]] == [True]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"context": {"retain_session": False}}, "/context/retain_session"),
        ({"context": {"compile_options": {}}}, "/context/compile_options"),
        ({"context": {"packages": []}}, "/context/packages"),
        ({"context": {"timeout_ms": "1"}}, "/context/timeout_ms"),
        ({"context": {"isolation": "none"}}, "/context/isolation"),
        ({"parms": {}}, "/parms"),
    ],
)
def test_a_wrong_field_of_a_call_by_name_is_pointed_at(body: Any, pointer: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        PARSER.execute_by_name("python-hello", {}, json.dumps(body).encode())
    assert [error["pointer"] for error in refused.value.details["errors"]] == [pointer]


def test_a_whole_number_may_be_written_with_a_point() -> None:
    body = {"context": {"timeout_ms": 281064.0}}
    _, by_name = PARSER.execute_by_name("python-hello", {}, json.dumps(body).encode())
    target = PARSER.alias_target(b'{"version": 3.0}')
    numbers = [initialize(body).timeout_ms, by_name.timeout_ms, target.version]
    assert [(number, type(number)) for number in numbers] == [(281064, int), (281064, int), (3, int)]


def test_a_script_over_the_limit_is_refused() -> None:
    assert initialize({"script_content": "x" * 100}).script is not None
    with pytest.raises(InvalidRequest) as refused:
        initialize({"script_content": "é" * 51})
    assert refused.value.status == 413


@pytest.mark.parametrize("params", ["[]", "1", '"x"', "null"])
def test_params_must_be_an_object(params: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        execute(f'{{"params": {params}}}'.encode())
    assert refused.value.details["errors"][0]["pointer"] == ""


def test_unknown_fields_beside_params_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        execute(b'{"params": {}, "parms": {}}')


@pytest.mark.parametrize(
    ("header", "directives"),
    [
        ("", CacheDirectives()),
        ("no-cache", CacheDirectives(reuse=False)),
        ("max-age=5", CacheDirectives(max_age=5)),
        ("No-Cache, Max-Age=0", CacheDirectives(reuse=False, max_age=0)),
        ("only-if-cached, private=x", CacheDirectives()),
    ],
)
def test_cache_directives(header: str, directives: CacheDirectives) -> None:
    assert execute(b"{}", X_Cache_Control=header).directives == directives


@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "9999999999", "\N{FULLWIDTH DIGIT ONE}"])
def test_a_bad_max_age_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="max-age"):
        execute(b"{}", X_Cache_Control=f"max-age={value}")


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_an_idempotency_key_is_read(given: str) -> None:
    assert execute(b"{}", Idempotency_Key=given).idempotency_key == given


@pytest.mark.parametrize("key", ["a", "A.b_c-9", "x" * 64, "8e03978e-40d5-43e8-bc93-6894a57f9324"])
def test_a_quoted_idempotency_key_is_the_bare_one(key: str) -> None:
    assert execute(b"{}", Idempotency_Key=f'"{key}"').idempotency_key == key


@pytest.mark.parametrize(
    "given",
    ["", "x" * 65, "a b", "\xe9", '""', '"', '"a', 'a"', "'a'", '""a""', '"a" ', '"a";p=1', '"a","b"', "a,b",
     f'"{"x" * 65}"', '"a\\"b"', '"\N{ARABIC-INDIC DIGIT ONE}"'],
)  # fmt: skip
def test_an_unusable_idempotency_key_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        execute(b"{}", Idempotency_Key=given)


@pytest.mark.parametrize("given", ["\0", "a/b", "", "x" * 65])
def test_what_can_be_no_session_is_not_found(given: str) -> None:
    with pytest.raises(NotFound):
        PARSER.session_id(given)


@pytest.mark.parametrize(
    "query", [{"page": "0"}, {"page": "x"}, {"per_page": "101"}, {"type": "other"}, {"language": "\0"}]
)
def test_a_bad_page_or_filter_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ServiceError) as refused:
        PARSER.functions(query)
    assert refused.value.code == "INVALID_REQUEST"


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"params": {}}',
        '{"params": {"n": 1}}',
        '{"params": {}, "x": 1}',
        '{"x": 1}',
        '{"params": {"x": "\\ud800"}}',
    ],
)
def test_what_skips_the_schema_would_pass_it(body: str) -> None:
    document = json.loads(body)
    faults = EXECUTE.validate(document)
    try:
        call = execute(body.encode())
    except InvalidRequest:
        assert faults
    else:
        assert not faults
        assert call.params == EXECUTE.load(document)["params"] == json.loads(bytes(call.params_text))


def test_params_are_passed_on_as_they_were_written() -> None:
    assert bytes(execute(b'{"params": {"b": 1.0, "a":1e2}}').params_text) == b'{"b": 1.0, "a":1e2}'
    assert bytes(execute(b"{}").params_text) == b"{}"
