"""Settings: the seed's defaults, secrets without one, and errors that name their variable."""

import tempfile
from pathlib import Path

import pytest

from configuration.errors import UnusableSetting
from configuration.variable import variables
from controller.limits.settings import Limits
from controller.settings import Settings
from tests.signing import SigningKey

SECRETS = {"JWT_SECRET": "j" * 32, "RUNTIME_SECRET": "r" * 16}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in variables(Settings):
        monkeypatch.delenv(variable.name, raising=False)
        monkeypatch.delenv(f"{variable.name}_FILE", raising=False)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.covers(
    "specification 9: REDIS_URL",
    "specification 9: POSTGRES_URL",
    "specification 9: CACHE_TTL",
    "specification 9: REQUEST_TIMEOUT",
    "specification 9: LOG_LEVEL",
    "specification 9: METRICS_PORT",
)
@pytest.mark.usefixtures("environment")
def test_the_defaults_are_those_of_the_specification() -> None:
    settings = Settings.from_environment()
    assert settings.redis_url == "redis://redis:6379"
    assert settings.postgres_url == "postgres://user:pass@postgres:5432/logs"
    assert settings.cache_ttl == 3600
    assert settings.request_timeout == 5000
    assert settings.log_level == "info"
    assert settings.metrics_port == 9090


def test_a_language_may_have_several_runtimes(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNTIME_URLS", "python=http://a:1,python=http://b:1,ruby=https://c")
    assert Settings.from_environment().runtime_urls == {
        "python": ["http://a:1", "http://b:1"],
        "ruby": ["https://c"],
    }


def test_in_kubernetes_no_runtime_is_taken_for_granted(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNTIME_DISCOVERY", "kubernetes")
    assert Settings.from_environment().runtime_urls == {}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_has_no_default(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(UnusableSetting, match=name):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_TTL", "soon"),
        ("CACHE_TTL", "0"),
        ("REQUEST_TIMEOUT", "-1"),
        ("METRICS_PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("JWT_SECRET", "short"),
        ("RUNTIME_SECRET", "too short"),
        ("JWT_ALGORITHM", "none"),
        ("JWT_LEEWAY", "-1"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/page"),
        ("SESSIONS_PER_USER_MAX", "-1"),
        ("FUNCTIONS_PER_USER_MAX", "many"),
        ("RUNTIME_URLS", "python=ftp://somewhere"),
        ("RUNTIME_URLS", "python"),
        ("LOG_RETENTION_DAYS", "-1"),
        ("SPOOL_MAX_BYTES", "much"),
        ("MASK_KEYS", "password,,token"),
        ("MASK_KEYS", "-"),
        ("RUNTIME_DISCOVERY", "dns"),
        ("RUNTIME_CONNECTIONS", "0"),
        ("CIRCUIT_FAILURES", "none"),
        ("RATE_LIMIT_EXECUTE", "-1"),
        ("RATE_LIMIT_ANONYMOUS", "many"),
        ("RATE_LIMIT_INITIALIZE", "1.5"),
        ("RATE_LIMIT_FUNCTIONS", "Off"),
        ("RATE_LIMIT_FUNCTIONS", "1000000"),
    ],
)
def test_a_bad_value_names_its_variable(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(UnusableSetting, match=name):
        Settings.from_environment()


@pytest.mark.usefixtures("environment")
def test_the_limits_are_those_of_the_contract() -> None:
    assert Settings.from_environment().rate_limits == Limits(
        100, anonymous=10, initialize=100, functions=60, manage=600
    )


@pytest.mark.parametrize(("value", "limit"), [("off", 0), ("0", 0), ("5000", 5000)])
def test_a_limit_is_a_number_or_off(environment: pytest.MonkeyPatch, value: str, limit: int) -> None:
    environment.setenv("RATE_LIMIT_EXECUTE", value)
    assert Settings.from_environment().rate_limits.execute == limit


def test_a_secret_may_be_the_platforms(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("JWT_SECRET")
    (tmp_path / "jwt-secret").write_text("p" * 40 + "\n")
    assert Settings.from_environment(secrets=tmp_path).tokens.secret == "p" * 40
    environment.setenv("JWT_SECRET", "e" * 40)
    assert Settings.from_environment(secrets=tmp_path).tokens.secret == "e" * 40


def test_the_environment_wins_over_the_file_of_defaults(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("CACHE_TTL=60\nLOG_LEVEL=debug\n")
    environment.setenv("CACHE_TTL", "90")
    environment.setenv("LOG_LEVEL", "warning")
    settings = Settings.from_environment(dotenv)
    assert (settings.cache_ttl, settings.log_level) == (90, "warning")


def test_keys_to_mask_are_chosen_by_name(environment: pytest.MonkeyPatch) -> None:
    assert {"password", "token", "api_key"} <= set(Settings.from_environment().mask_keys)
    environment.setenv("MASK_KEYS", "pin,iban")
    assert Settings.from_environment().mask_keys == ("pin", "iban")


def test_the_spool_has_a_folder_that_can_be_written_by_default(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SPOOL_DIR", raising=False)
    assert Settings.from_environment().spool_dir == Path(tempfile.gettempdir())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_public_key_takes_the_place_of_the_secret(environment: pytest.MonkeyPatch, algorithm: str) -> None:
    environment.delenv("JWT_SECRET")
    environment.setenv("JWT_ALGORITHM", algorithm)
    environment.setenv("JWT_PUBLIC_KEY", SigningKey(algorithm).public_pem)
    tokens = Settings.from_environment().tokens
    assert (tokens.algorithm, tokens.secret) == (algorithm, None)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "JWT_PUBLIC_KEY or JWT_JWKS_URL"),
        ({"JWT_PUBLIC_KEY": "x"}, "JWT_PUBLIC_KEY"),
        ({"JWT_PUBLIC_KEY": SigningKey("ES256").public_pem}, "JWT_PUBLIC_KEY"),
        ({"JWT_PUBLIC_KEY": SigningKey("RS256").private_pem}, "JWT_PUBLIC_KEY"),
        ({"JWT_JWKS_URL": "file:///etc/passwd"}, "JWT_JWKS_URL"),
        (
            {"JWT_PUBLIC_KEY": SigningKey("RS256").public_pem, "JWT_JWKS_URL": "http://keys.test"},
            "JWT_PUBLIC_KEY or JWT_JWKS_URL",
        ),
    ],
)
def test_rs256_needs_one_source_of_public_keys(
    environment: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    environment.setenv("JWT_ALGORITHM", "RS256")
    for name, value in variables.items():
        environment.setenv(name, value)
    with pytest.raises(UnusableSetting, match=named):
        Settings.from_environment()


def test_a_call_without_a_token_is_refused_unless_chosen(environment: pytest.MonkeyPatch) -> None:
    assert Settings.from_environment().tokens.anonymous == frozenset()
    environment.setenv("ANONYMOUS", "execute:python,read:functions")
    assert Settings.from_environment().tokens.anonymous == {"execute:python", "read:functions"}
