"""What leads to registries: the environment, and the files of pip, uv and npm."""

from pathlib import Path

from local.registries import variables

FILES = {
    "etc/pip.conf": "[global]\nindex-url = https://machine.invalid/simple\ncert = /etc/ssl/machine.pem\n",
    "home/user/.config/pip/pip.conf": "[install]\nindex-url = https://%40user.invalid/simple\n"
    "extra-index-url =\n  https://one.invalid\n  https://two.invalid\n",
    "home/user/.config/uv/uv.toml": "[[index]]\nurl = 'https://uv.invalid'\ndefault = true\n"
    "[[index]]\nurl = 'https://more.invalid'\n[pip]\nno-build = false\n",
    "etc/npmrc": "registry=https://machine.invalid/npm\n",
    "home/user/.npmrc": "; a comment\nregistry = https://user.invalid/npm\n@scope:registry=https://scope.invalid\n"
    "//scope.invalid/:_authToken=${TOKEN}\nstrict-ssl=true\nignore-scripts=false\ncache=/shared\n",
}


def test_the_files_of_the_tools_become_variables_and_the_environment_wins(tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    environment = {
        "HOME": "/home/user",
        "TOKEN": "word",
        "PIP_CERT": "/etc/ssl/own.pem",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "https_proxy": "http://proxy.invalid:3128",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "PYTHONPATH": "/elsewhere",
    }

    assert variables(environment, tmp_path) == {
        "PIP_INDEX_URL": "https://%40user.invalid/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.invalid https://two.invalid",
        "PIP_CERT": "/etc/ssl/own.pem",
        "UV_DEFAULT_INDEX": "https://uv.invalid",
        "UV_INDEX": "https://more.invalid",
        "npm_config_registry": "https://user.invalid/npm",
        "npm_config_@scope:registry": "https://scope.invalid",
        "npm_config_//scope.invalid/:_authToken": "word",
        "npm_config_strict_ssl": "true",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "https_proxy": "http://proxy.invalid:3128",
    }


def test_without_files_and_variables_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pip.conf").write_text("no section = broken")

    assert variables({"HOME": "/root"}, tmp_path) == {}
