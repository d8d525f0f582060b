"""The page of what was measured: `python -m bench.report`, or `make bench-report`.

It is made of the files in `bench/results`. One with `scenarios` is a run of `make bench`: the newest is shown, and
the others as what was before. One with `curves` shows growth: a list of `title`, `x` and `y` (labels) and `series`,
which are lists of points by their names.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from bench.gates import verdicts
from bench.measurement import Figures
from bench.plots import bars, curves, spans
from bench.run import RESULTS
from bench.table import table

THROUGHPUT = ("yardstick", "constant", "cached", "mixed", "warm-*", "yardstick-watchdog", "cached-watchdog")
MEMORY = ("cached", "warm-*", "one-mib", "rotation-*", "connections")
PARTS = ("controller", "front", "workers", "redis", "postgres", "watchdogs", "yardstick", "constant")
#: What is followed from run to run.
HISTORY = {
    "CPU of a request, all processes, us": ("cpu all", ("yardstick", "cached", "warm-*")),
    "Throughput, times the yardstick": ("x yardstick", ("cached", "warm-python", "warm-nodejs", "warm-rust")),
}
STYLE = """body { font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }
pre { overflow-x: auto; font-size: 11px } svg { max-width: 100%; height: auto; display: block; margin: 1.5em 0 }"""

HEAD = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Benchmark</title>
<style>{STYLE}</style>"""


@dataclass(frozen=True)
class Result:
    """One run of `make bench`."""

    machine: dict[str, Any]
    titles: dict[str, str]
    figures: dict[str, Figures]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Result":
        scenarios = document["scenarios"]
        return cls(
            document["machine"],
            {name: scenario["title"] for name, scenario in scenarios.items()},
            {name: scenario["runs"] for name, scenario in scenarios.items()},
        )

    def medians(self, patterns: Sequence[str]) -> dict[str, dict[str, float]]:
        """By the names of the scenarios that a pattern matches."""
        return {
            name: {figure: median(values) for figure, values in figures.items()}
            for name, figures in self.figures.items()
            if any(fnmatch(name, pattern) for pattern in patterns)
        }


def page(documents: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    results = [Result.of(document) for document in documents if "scenarios" in document]
    results.sort(key=lambda result: str(result.machine["date"]))
    body = (
        [*_newest(results[-1])] if results else ["<p>Nothing was measured yet: <code>make bench</code>.</p>"]
    )
    body += _history(results) if len(results) > 1 else []
    body += _growth([curve for document in documents for curve in document.get("curves", [])])
    return "\n".join([HEAD, "<h1>Benchmark</h1>", *body, "</html>", ""])


def _newest(result: Result) -> Iterator[str]:
    machine = {**result.machine, **result.machine.get("versions", {})}
    facts = (f"{name} {value}" for name, value in machine.items() if name != "versions")
    yield f"<p>{escape(', '.join(facts))}</p>"
    yield "<h2>Targets</h2>"
    yield f"<pre>{escape(chr(10).join(verdict.text for verdict in verdicts(result.figures)))}</pre>"
    yield "<h2>Figures</h2>"
    yield f"<pre>{escape(chr(10).join(table(result.titles, result.figures, targets=False)))}</pre>"
    yield from _plots(result)


def _plots(result: Result) -> Iterator[str]:
    execution = result.medians(THROUGHPUT)
    yield bars(
        "Throughput", "requests a second", {name: {"rps": each["rps"]} for name, each in execution.items()}
    )
    yield bars("CPU of a request", "us", _by_part(execution, "cpu"))
    latencies = {
        name: {quantile: each[quantile] for quantile in ("p50", "p95", "p99")}
        for name, each in result.medians("*").items()
        if each["p50"]
    }
    yield spans("Latency", "ms", latencies)
    ours = result.medians(MEMORY)
    if ours:
        yield bars("Memory: proportional share after a run", "MiB", _by_part(ours, "pss"))


def _by_part(scenarios: Mapping[str, Mapping[str, float]], kind: str) -> dict[str, dict[str, float]]:
    return {
        name: {part: figures[f"{kind} {part}"] for part in PARTS if figures.get(f"{kind} {part}", 0) > 0}
        for name, figures in scenarios.items()
    }


def _history(results: Sequence[Result]) -> Iterator[str]:
    ticks = [f"{result.machine['date'][:10]} {result.machine['commit']}" for result in results]
    yield "<h2>From run to run</h2>"
    for title, (figure, patterns) in HISTORY.items():
        series: dict[str, list[tuple[float, float]]] = {}
        for place, result in enumerate(results):
            for name, medians in result.medians(patterns).items():
                if figure in medians:
                    series.setdefault(name, []).append((place, medians[figure]))
        yield curves(title, "", "", series, logarithmic=False, ticks=ticks)


def _growth(found: Sequence[Mapping[str, Any]]) -> list[str]:
    drawn = [curves(curve["title"], curve["x"], curve["y"], curve["series"]) for curve in found]
    return ["<h2>Growth</h2>", *drawn] if drawn else []


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the files")
    folder = parser.parse_args().results
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    target = folder / "report.html"
    target.write_text(page(documents))
    print(target)


if __name__ == "__main__":
    main()
