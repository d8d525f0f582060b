"""The files of migrations: their names and their order."""

from pathlib import Path

import pytest

from controller.database.migrate import MigrationError, read

OURS = Path(__file__).parents[4] / "sql"


def test_versions_are_ordered_by_number(tmp_path: Path) -> None:
    for name in ("V1.10.0__c.sql", "V1.2.0__b_file.sql", "V1.0.0__a.sql"):
        (tmp_path / name).write_text("SELECT 1")
    migrations = read(tmp_path)
    assert [migration.version for migration in migrations] == ["1.0.0", "1.2.0", "1.10.0"]
    assert migrations[1].description == "b file"


@pytest.mark.parametrize("name", ["1.0.0__a.sql", "V1.0.0_a.sql", "Vx__a.sql", "V1.0.0__a b.sql"])
def test_a_malformed_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match="is not named"):
        read(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    for name in ("V1.0__a.sql", "V1.0__b.sql"):
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match="two files"):
        read(tmp_path)


def test_our_own_files_are_in_order() -> None:
    assert read(OURS)[0].version == "1.0.0"
