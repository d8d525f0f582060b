"""Masking: what is hidden, what is left, and at what cost."""

import hashlib
import io
import json
import logging
from time import thread_time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.observability.logs import MaskingFormatter
from controller.observability.masking import (
    DEEP,
    DEFAULT_MASKER,
    MASK,
    MASK_KEYS,
    MAX_DEPTH,
    UNREADABLE,
    Masker,
)

HIDDEN_KEYS = [
    *MASK_KEYS,
    *(
        "PASSWORD",
        "Password",
        "db_password",
        "password2",
        "X-Api-Key",
        "apiKey",
        "apikey",
        "api.key",
        "access_token",
    ),
    *("refreshToken", "Set-Cookie", "Proxy-Authorization", "client-secret", "aws_secret_access_key"),
]
KEPT_KEYS = ["name", "key", "api", "keys", "pass", "author", "cook", "tok", "private", "", "path"]
#: Not made anew: each process that collects the tests must name them the same.
API_KEY = "lmk_6gOwTLd3QaKTw2GxzCF77pusY1r5r2wJ2AKNCK"
HIDDEN_IN_TEXT = [
    (API_KEY, "***"),
    (f"/api/v1/keys/{API_KEY}", "/api/v1/keys/***"),
    (f"found {API_KEY}-mistyped", "found ***-mistyped"),
    (f"{API_KEY[:-3]}", "***"),
    ('let password: &str = "hunter2";', "let password: ***;"),
    ('const API_KEY: Option<&\'static str> = Some("hunter2");', "const API_KEY: ***);"),
    ("password: str = 'hunter2'", "password: ***"),
    ("password: hunter2 = wrong", "password: ***"),
    ("cookie: a=b; c=hunter2", "cookie: ***"),
    ("password=hunter2", "password=***"),
    ("a=1&password=hunter2&b=2", "a=1&password=***&b=2"),
    ("Password: hunter2, retry", "Password: ***, retry"),
    ('{"token": "hunter2", "a": 1}', '{"token": "***", "a": 1}'),
    ('{"token":"hunter2 with \\" inside","a":1}', '{"token":"***","a":1}'),
    ("{'api-key': 'hunter2'}", "{'api-key': '***'}"),
    ('"{\\"secret\\": \\"hunter2\\", \\"a\\": 1}"', '"{\\"secret\\": \\"***\\", \\"a\\": 1}"'),
    ('"{\\"secret\\": \\"hunter2\\\\\\"3\\", \\"a\\": 1}"', '"{\\"secret\\": \\"***\\", \\"a\\": 1}"'),
    ('password = "hunter2', 'password = "***'),
    ("os.environ['DB_PASSWORD'] = 'hunter2'", "os.environ['DB_PASSWORD'] = '***'"),
    ("{:secret => hunter2}", "{:secret => ***}"),
    ("Authorization: Basic aHVudGVyMg==\nHost: x", "Authorization: ***\nHost: x"),
    ("Cookie: a=hunter2; b=hunter2\r\nHost: x", "Cookie: ***\r\nHost: x"),
    ("sent Bearer hunter2.hunter2", "sent Bearer ***"),
    ("bearer\thunter2/hunter2== again", "bearer *** again"),
    ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl.", "got ***."),
    ("postgres://user:hunter2@host:5432/logs", "postgres://user:***@host:5432/logs"),
    ("redis://:hunter2@host", "redis://:***@host"),
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}\0\ud800 pwd=hunter2", None),
    ("tokens_used=hunter2", "tokens_used=***"),
    ("token.password=1234", "token.password=***"),
]
KEPT_IN_TEXT = [
    "tokens_used: 5, tokens: 1.5",
    "the password is wrong",
    "a token",
    "http://host:80/path?a=b@c",
    "eyJust words. eyJ.",
    "key=value; path=/cookies",
    "bearer",
    "",
]
EVIL = [
    "password: a<" * 100_000,
    ("password: " + "a" * 60 + "<" + "b" * 60) * 10_000,
    "token" * 40_000,
    "token" + "a" * 200_000,
    'token: "' * 25_000,
    "password:" + "\\" * 200_000,
    "://" * 70_000,
    "bearer " * 30_000,
    "eyJaaaa." * 25_000,
    "token " * 33_000 + "=",
    "token='" + "\\'" * 100_000,
    "cookie:" * 30_000,
]


def logged(document: Any, masker: Masker = DEFAULT_MASKER) -> Any:
    """What is left of a document."""
    (text,) = masker.json(document)
    return json.loads(text)


def raw(text: str) -> msgspec.Raw:
    """JSON that came in a request."""
    return msgspec.Raw(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("key", HIDDEN_KEYS)
@pytest.mark.parametrize("value", ["hunter2", 5, None, ["hunter2"], {"a": "hunter2"}])
def test_the_value_of_a_secret_key_is_hidden_at_any_depth(key: str, value: Any) -> None:
    document = {"params": [{"a": {key: value, "b": 1}}]}
    assert logged(document) == {"params": [{"a": {key: MASK, "b": 1}}]}


@pytest.mark.parametrize("key", KEPT_KEYS)
def test_other_keys_are_left(key: str) -> None:
    assert DEFAULT_MASKER.document({"token": 1, key: "value"}) == {"token": MASK, key: "value"}


@pytest.mark.parametrize("key", ["tokens_used", "max_tokens", "token_count", "password_confirmed"])
def test_a_key_that_only_contains_a_name_hides_texts_and_leaves_numbers(key: str) -> None:
    for kept in (5, 1.5, True, None):
        assert DEFAULT_MASKER.document({key: kept}) == {key: kept}
    for hidden in ("hunter2", ["hunter2"], {"a": "hunter2"}):
        assert DEFAULT_MASKER.document({key: hidden}) == {key: MASK}


@pytest.mark.parametrize(("text", "masked"), HIDDEN_IN_TEXT)
def test_secrets_in_texts_are_hidden(text: str, masked: str | None) -> None:
    assert "hunter2" not in DEFAULT_MASKER.text(text)
    assert masked is None or DEFAULT_MASKER.text(text) == masked
    assert logged({"a": [text]}) == {"a": [DEFAULT_MASKER.text(text)]}


@pytest.mark.parametrize("text", KEPT_IN_TEXT)
def test_other_texts_are_left(text: str) -> None:
    assert DEFAULT_MASKER.text(text) == text


def test_the_names_are_a_choice() -> None:
    masker = Masker(["pin-code", "iban"])
    document = {"PinCode": 1, "pin_code": 1, "iban": "x", "password": "x", "t": "iban=DE pin-code: 5"}
    masked = {"PinCode": MASK, "pin_code": MASK, "iban": MASK, "password": "x", "t": "iban=*** pin-code: ***"}
    assert masker.document(document) == masked
    assert Masker([]).document(document) == document


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter2"}',
        '{"a": [{"Api-Key" : ["hunter2"]}]}',
        '{"pass\\u0077ord": "hunter2"}',
        '{"\\u0050ASSWORD": "hunter2"}',
        '{"a": "http:\\/\\/u:hunter2@host"}',
        '{"a": "b\\u0065arer hunter2"}',
        '{"a": "\\ud800 pwd=hunter2"}',
    ],
)
def test_json_that_is_not_parsed_is_masked_however_it_is_written(text: str) -> None:
    (written,) = DEFAULT_MASKER.json({"params": raw(text)})
    assert "hunter2" not in written
    assert MASK in written


@pytest.mark.parametrize(
    "text",
    ['{"n":1.50, "n":  2}', "[1e400,123456789012345678901234567890]", '"é\\n\\u00e9\\u4e2d\\ud83d\\ude00"'],
)
def test_json_without_secrets_stays_as_it_was_written(text: str) -> None:
    assert DEFAULT_MASKER.json({"params": raw(text)}, raw(text)) == [f'{{"params":{text}}}', text]


def test_names_of_other_scripts_are_found_however_they_are_written() -> None:
    masker = Masker(["clé"])
    assert logged({"params": raw('{"cl\\u00e9": "hunter2"}')}, masker) == {"params": {"clé": MASK}}
    assert logged({"params": {"CLÉ": "hunter2"}}, masker) == {"params": {"CLÉ": MASK}}


def test_one_document_of_several_is_masked() -> None:
    assert DEFAULT_MASKER.json(raw("[1,  2]"), {"token": "hunter2"}) == ["[1,  2]", '{"token": "***"}']


def test_what_cannot_be_read_is_not_logged() -> None:
    for number in ("9" * 5000, "1e400"):
        assert logged({"password": "hunter2", "number": raw(number)}) == UNREADABLE
    assert logged({"params": raw('"\udcff"')}) == {"params": "\N{REPLACEMENT CHARACTER}"}


def test_nothing_is_changed_in_place() -> None:
    document = {"a": {"password": "hunter2"}}
    DEFAULT_MASKER.json(document)
    assert document == {"a": {"password": "hunter2"}}


def test_depth_is_bounded() -> None:
    deep: Any = "password=hunter2"
    for _ in range(MAX_DEPTH * 50):
        deep = [deep]
    assert logged(deep) == DEEP
    assert DEEP in str(DEFAULT_MASKER.document(deep))


@pytest.mark.parametrize("text", EVIL, ids=lambda text: text[:10])
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    started = thread_time()
    DEFAULT_MASKER.text(text)
    # About 0.05 s; in square time it would be minutes.
    assert thread_time() - started < 20


def test_our_own_log_lines_are_masked() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(MaskingFormatter(DEFAULT_MASKER))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        logger.exception(
            "no answer from %s", "http://u:hunter2@host", extra={"details": {"token": "hunter2"}}
        )
    (line,) = written.getvalue().splitlines()
    assert "hunter2" not in line
    assert json.loads(line)["message"] == "no answer from http://u:***@host"
    error = json.loads(line)["error"]
    assert error["message"] == "password=***"
    assert 'ValueError("password=***")' in error["stack_trace"]


#: What documents are made of: parts of secrets, and of what only looks like one.
WORDS = (
    "password",
    "pass",
    "Api",
    "api_key",
    "KEY",
    "token",
    "tokens_used",
    "eyJhbGciOi.x.y",
    "://u:p@h",
    "Bearer abcdef",
)
WORDS_IN_TEXTS = (
    *WORDS,
    "=",
    ": ",
    "hunter2",
    "\\",
    "/",
    '"',
    "é",
    "\u212aey",
    "lmk_012345678",
    " ",
    "x" * 600,
)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_json_is_masked_as_its_document(data: st.DataObject) -> None:
    texts = st.lists(st.sampled_from(WORDS_IN_TEXTS), max_size=4).map("".join)
    scalars = texts | st.integers(-9, 9) | st.none() | st.booleans()
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    )
    document = data.draw(values)
    text = json.dumps(document, ensure_ascii=data.draw(st.booleans()))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(text) - 1))
        # Any letter may be escaped in a string.
        escaped = text[:place] + f"\\u{ord(text[place]):04x}" + text[place + 1 :]
        text = escaped if _is_json(escaped) else text
    (masked,) = DEFAULT_MASKER.json(msgspec.Raw(text.encode()))
    assert json.loads(masked) == DEFAULT_MASKER.document(json.loads(text))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_what_is_too_long_is_replaced_by_its_length_and_digest() -> None:
    masker = Masker(MASK_KEYS, most=1000)
    long, text = msgspec.Raw(b'{"a": "' + b"x" * 2000 + b'"}'), "x" * 2000
    left_out = {"cut": {"bytes": 2009, "sha256": hashlib.sha256(bytes(long)).hexdigest()}}
    assert masker.json(long) == [json.dumps(left_out, separators=(",", ":"))]
    error = {"error": {"code": "X", "details": {"stdout": text, "line": 2}, "password": text}}
    params, failed = map(json.loads, masker.json({"params": long, "context": {"a": 1}}, error))
    assert params == {"params": left_out, "context": {"a": 1}}
    stdout = {"cut": {"bytes": 2002, "sha256": hashlib.sha256(f'"{text}"'.encode()).hexdigest()}}
    assert failed == {"error": {"code": "X", "details": {"stdout": stdout, "line": 2}, "password": MASK}}
    (whole,) = masker.json({"params": msgspec.Raw(b'"' + b"x" * 800 + b'"')})
    assert json.loads(whole) == {"params": "x" * 800}


@pytest.mark.parametrize("most", [128, 1000, 5000])
@pytest.mark.parametrize(
    "document",
    [
        {str(number): number for number in range(3000)},
        {"context": {str(number): number for number in range(3000)}, "a": 1},
        {"a": {"a": {"a": {"a": "x" * 6000}}}},
        ["x" * 6000],
    ],
)
def test_no_document_is_longer_than_allowed(document: Any, most: int) -> None:
    (written,) = Masker(MASK_KEYS, most).json(document)
    assert len(written) <= most
