"""Loads the predefined functions, which every user sees: files `<language>-<title>.json` beside their scripts."""

import json
from pathlib import Path

from psycopg2.extensions import connection

from controller.database.postgres import QUERIES
from controller.json_schema.checks import check_schema
from controller.models.registered import Script

ENDINGS = {"nodejs": ".js", "python": ".py", "rust": ".rs"}


def load_samples(opened: connection, folder: Path) -> list[str]:
    """Register every function of `folder`. A changed function gets a new version.

    Returns:
        The names that are new or have a new version.
    """
    registered = []
    for description in sorted(folder.glob("*.json")):
        language, _, title = description.stem.partition("-")
        about = json.loads(description.read_text())
        for schema in about["schema"].values():
            check_schema(schema)
        script = Script.of(description.with_suffix(ENDINGS[language]).read_text())
        with opened:
            QUERIES.put_script(opened, script_hash=script.hash, script_content=script.content)
            version = QUERIES.put_predefined_function(
                opened,
                language=language,
                title=title,
                description=about["description"],
                tags=about["tags"],
                schema=json.dumps(about["schema"]),
                examples=json.dumps(about["examples"]),
                script_hash=script.hash,
            )
        if version is not None:
            registered.append(description.stem)
    return registered
