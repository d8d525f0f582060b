"""Plots as SVG that goes into a page: bars, spans and curves. The same values make the same text."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Inches.
WIDTH = 9.0
ROW_HEIGHT = 0.3
AROUND_ROWS = 1.1
CURVES_HEIGHT = 3.6
# Text stays text, and names of elements depend on the content alone.
mpl.rcParams["svg.fonttype"] = "none"
mpl.rcParams["svg.hashsalt"] = "bench"
mpl.rcParams["font.size"] = 9
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}

Point = tuple[float, float]


def bars(title: str, unit: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A bar for each row, put together of its parts; the end of it is labelled with their sum."""
    figure, axes = _figure(title, ROW_HEIGHT * len(rows) + AROUND_ROWS)
    ends = dict.fromkeys(rows, 0.0)
    for part in dict.fromkeys(part for parts in rows.values() for part in parts):
        widths = [parts.get(part, 0.0) for parts in rows.values()]
        axes.barh(list(rows), widths, left=list(ends.values()), label=part)
        ends = {row: end + width for (row, end), width in zip(ends.items(), widths, strict=True)}
    for place, end in enumerate(ends.values()):
        axes.annotate(f" {end:,.4g}", (end, place), va="center")
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(x=0.12)
    return _svg(figure, axes)


def spans(title: str, unit: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each row from its least value to its greatest, with a mark for each; over a logarithmic axis."""
    figure, axes = _figure(title, ROW_HEIGHT * len(rows) + AROUND_ROWS)
    for name in dict.fromkeys(name for values in rows.values() for name in values):
        places = [place for place, values in enumerate(rows.values()) if name in values]
        axes.plot([values[name] for values in rows.values() if name in values], places, "o", label=name)
    for place, values in enumerate(rows.values()):
        axes.hlines(place, min(values.values()), max(values.values()), color="0.7", zorder=0)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(unit)
    return _svg(figure, axes)


def curves(
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Sequence[Point]],
    *,
    logarithmic: bool = True,
    ticks: Sequence[str] = (),
) -> str:
    """A curve through the points of each series.

    Args:
        logarithmic: whether x is, as growth over powers of ten asks for. y begins at 0.
        ticks: names of the values 0, 1, 2, ... of x, where those are no quantity.
    """
    figure, axes = _figure(title, CURVES_HEIGHT)
    for name, points in series.items():
        axes.plot([x for x, _ in points], [y for _, y in points], "o-", label=name)
    if logarithmic:
        axes.set_xscale("log")
    if ticks:
        axes.set_xticks(range(len(ticks)), list(ticks))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return _svg(figure, axes)


def _figure(title: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure((WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    """The drawing, without what only a file of its own needs."""
    if len(axes.get_legend_handles_labels()[1]) > 1:
        figure.legend(loc="outside right upper", frameon=False)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=_NO_METADATA)
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :]
