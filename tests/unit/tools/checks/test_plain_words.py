"""The check of words names each place, also where a line breaks."""

from pathlib import Path

from tools.checks import plain_words


def test_each_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Nobody knows.\nA folder of its\nown; the ones there; whoseness.\n")

    assert plain_words.places(tmp_path, ["page.md"]) == ["page.md:1: Nobody", "page.md:2: of its own"]
