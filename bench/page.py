"""Writes the figures of docs/performance.md anew: `python -m bench.page docs/performance.md`, or `make performance`.

The page's text is written by hand. What stands between `<!-- stages -->` and `<!-- end -->`, and the like, is made of
the files in `bench/results`; the plots lie beside the page.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.plots import curves
from bench.run import RESULTS
from bench.stages.run import INSIDE, WHOLE
from bench.stages.stage import NAMES

PROCESSES = {"controller": "**controller**", "front": "**runtime's front**"} | {
    name: f"**{title}**" for name, title in WHOLE.items()
}
_BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, blocks: Mapping[str, str]) -> str:
    """The page with these blocks in the place of those of the same names. Raises KeyError for a name without one."""
    return _BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]}\n{found[3]}", text)


def stages(document: Mapping[str, Any]) -> str:
    """The table of microseconds by stage: each load a column that adds up to its last line."""
    loads = {
        name: {(row["process"], row["stage"]): row["microseconds"] for row in rows}
        for name, rows in document["loads"].items()
    }
    return "\n".join(
        [
            f"| us of CPU a request | {' | '.join(loads)} |",
            "|---|" + "---:|" * len(loads),
            *_stage_rows(list(loads.values())),
            _row("**all**", [sum(load.values()) for load in loads.values()]),
            "",
            _measured(document["machine"]),
        ]
    )


def _stage_rows(loads: Sequence[Mapping[tuple[str, str], float]]) -> Iterator[str]:
    for process in (*INSIDE, *WHOLE):
        yield _row(
            PROCESSES[process],
            [sum(value for (name, _), value in load.items() if name == process) for load in loads],
        )
        for stage in NAMES:
            values = [load.get((process, stage), 0.0) for load in loads]
            if any(values):
                yield _row(f"&emsp;{stage}", values)


def _row(title: str, values: Sequence[float]) -> str:
    return f"| {title} | {' | '.join(f'{value:.0f}' if value else '' for value in values)} |"


def growth(document: Mapping[str, Any], folder: str) -> str:
    """The table of what grows, with its verdicts, and the plots from `folder`."""
    lines = [
        "| request | of how many | CPU, us: from the least to the most | p50, ms | power | excess | |",
        "|---|---|---|---|---:|---:|---|",
        *map(_growth_row, document["growth"].values()),
        "",
        _measured(document["machine"]),
    ]
    for plot in document["curves"]:
        lines += ["", f"![{plot['title']}]({folder}/growth-{plot['name']}.svg)"]
    return "\n".join(lines)


def _growth_row(one: Mapping[str, Any]) -> str:
    sizes, figures, fit = one["sizes"], one["figures"], one["fit"]
    cells = (
        one["title"],
        f"{one['size']}: {', '.join(f'{size:,}' for size in sizes)}",
        ", ".join(f"{cost:.0f}" for cost in figures[one["judged"]])
        + f" ({one['judged'].removeprefix('cpu ')})",
        ", ".join(f"{took:.2g}" for took in figures["p50"]),
        f"{fit['exponent']:.2f}",
        f"{fit['excess']:.2f}",
        one["law"] if one["reached"] else f"**faster than {one['law']}**",
    )
    return f"| {' | '.join(cells)} |"


def _measured(machine: Mapping[str, Any]) -> str:
    return f"Measured {machine['date'][:10]} at {machine['commit']} on {machine['cores']} cores, {machine['cpu']}."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the figures")
    arguments = parser.parse_args()
    page: Path = arguments.page
    documents = {
        name: json.loads(arguments.results.joinpath(f"{name}.json").read_text())
        for name in ("stages", "growth")
    }
    plots = page.with_suffix("")
    plots.mkdir(exist_ok=True)
    for plot in documents["growth"]["curves"]:
        drawing = curves(plot["title"], plot["x"], plot["y"], plot["series"])
        plots.joinpath(f"growth-{plot['name']}.svg").write_text(drawing)
    blocks = {"stages": stages(documents["stages"]), "growth": growth(documents["growth"], plots.name)}
    page.write_text(filled(page.read_text(), blocks))


if __name__ == "__main__":
    main()
