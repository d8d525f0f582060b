"""One small package of each language from the registries that this machine reaches."""

import pytest

from runtime.installer.settings import Settings
from tests.conftest import missing
from tests.integration.runtime.installer.served import ServedInstaller

PACKAGES = {"python": ("idna==3.10", "idna/core.py"), "nodejs": ("ms@2.1.3", "node_modules/ms/index.js")}


@pytest.mark.parametrize("language", PACKAGES)
def test_a_package_of_the_real_registry_is_installed(installer_settings: Settings, language: str) -> None:
    package, file = PACKAGES[language]
    with ServedInstaller(installer_settings) as installer:
        answer = installer.ask(language, "resolve", {"packages": [package]})
        if answer.status_code == 503:
            missing(f"no registry of {language}", answer.text)
        built = installer.built(language, answer.get_json()["lock"])

    assert file in built.files
    assert [one["licence"] for one in built.head["packages"]] != [None]
