"""Functions as files: what `deploy` sends."""

from pathlib import Path

import pytest

from lambda_ms.source import SourceError, read_source


def written(folder: Path, name: str, script: str, settings: str = "") -> Path:
    if settings:
        (folder / "function.toml").write_text(settings)
    (folder / name).write_text(script)
    return folder / name


@pytest.mark.parametrize(
    ("name", "script", "language_title"),
    [
        ("price.py", '"""The price,\nwith tax.\n\nMore of it."""\n', "python-price"),
        (
            "price.js",
            "/**\n * The price,\n * with tax.\n *\n * More of it.\n */\nreturn 1;\n",
            "nodejs-price",
        ),
        ("price.mjs", "/** The price, with tax. */\nexport default 1;\n", "nodejs-price"),
        ("price.ts", "/** The price, with tax. */\nexport default 1;\n", "typescript-price"),
        ("price.rs", "//! The price,\n//! with tax.\n//!\n//! More of it.\nfn a() {}\n", "rust-price"),
    ],
)
def test_a_name_gives_the_language_and_the_first_words_the_description(
    tmp_path: Path, name: str, script: str, language_title: str
) -> None:
    source = read_source(written(tmp_path, name, script))

    assert source.language_title == language_title
    assert source.document == {"script_content": script, "description": "The price, with tax."}


def test_a_script_that_says_nothing_about_itself_has_no_description(tmp_path: Path) -> None:
    for name in ("a.py", "a.js", "a.rs", "broken.py"):
        script = "def (" if name == "broken.py" else "\n"
        assert read_source(written(tmp_path, name, script)).document == {"script_content": script}


def test_what_stands_beside_a_script_is_sent(tmp_path: Path) -> None:
    settings = """
        name = "tax"
        script = "price.py"
        description = "of the file"
        tags = ["shop"]
        timeout_ms = 500
        schema.params.type = "object"
        [[examples]]
        params.net = 1
        result = 2
    """

    source = read_source(written(tmp_path, "price.py", '"""Of the script."""', settings))

    assert source.language_title == "python-tax"
    assert source.document == {
        "script_content": '"""Of the script."""',
        "description": "of the file",
        "tags": ["shop"],
        "schema": {"params": {"type": "object"}},
        "examples": [{"params": {"net": 1}, "result": 2}],
        "defaults": {"timeout_ms": 500},
    }


def test_settings_of_another_script_do_not_count(tmp_path: Path) -> None:
    source = read_source(written(tmp_path, "price.py", "result = 1", 'script = "other.py"\ntags = ["shop"]'))

    assert source.document == {"script_content": "result = 1"}


def test_declared_packages_are_read_and_left_where_they_are(tmp_path: Path) -> None:
    script = '# /// script\n# dependencies = [\n#   "pandas>=2",\n# ]\n# ///\nimport pandas\n'

    source = read_source(written(tmp_path, "price.py", script))

    assert source.packages == ("pandas>=2",)
    assert source.document == {"script_content": script}


@pytest.mark.parametrize(
    ("name", "script", "settings", "said"),
    [
        ("a.php", "", "", "no language"),
        ("a.py", "", "tags = [", "function.toml"),
        ("a.py", "", "colour = 1", "unknown: colour"),
        ("a.py", "# /// script\n# dependencies = [\n# ///\n", "", "`# /// script`"),
        ("a.py", "# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n", "", "more than one"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(
    tmp_path: Path, name: str, script: str, settings: str, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        read_source(written(tmp_path, name, script, settings))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.py: No such file"):
        read_source(tmp_path / "none.py")
