# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces over the slots of a run as one SVG: small panels above one another with a common slot axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

LEFT, RIGHT, WIDTH = 128, 12, 1080
PANEL, GAP, STRIP, TOP = 62, 14, 13, 8
PLOT = WIDTH - LEFT - RIGHT
STATE_COLOURS = {
    "car": ("#e6e9ef", "#3a6ea5"),
    "vru": ("#e6e9ef", "#b5542d"),
    "fault": ("#e6e9ef", "#c8344a"),
    "density": ("#dfe8dc", "#93b98a", "#3f7a4a"),
}


@dataclass(frozen=True)
class Trace:
    """One panel.

    Attributes
    ----------
    title, unit : str
    values : list of float or None   one per slot; None leaves a gap
    low, high : float or None        ends of the axis; None: those of the values
    steps : bool                     hold each value for its slot
    marks : dict of float to str     horizontal lines and their names
    """

    title: str
    unit: str
    values: list
    low: float | None = None
    high: float | None = None
    steps: bool = False
    marks: dict = field(default_factory=dict)


def traces_svg(traces, strips, n_slots):
    """The SVG text.

    Parameters
    ----------
    traces : list of Trace
    strips : list of (title, kind, values)   rows of coloured slots; kind is a key of STATE_COLOURS
    n_slots : int

    Returns
    -------
    str   an svg element with a line of class "cursor", x from LEFT to LEFT + PLOT
    """
    parts, y = [], TOP
    for trace in traces:
        parts.append(_panel(trace, y, n_slots))
        y += PANEL + GAP
    for title, kind, values in strips:
        parts.append(_strip(title, kind, values, y, n_slots))
        y += STRIP + 3
    parts.append(_slot_axis(y + 4, n_slots))
    parts.append(f'<line class="cursor" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{y}"/>')
    size = f'viewBox="0 0 {WIDTH} {y + 40}" data-left="{LEFT}" data-plot="{PLOT}" data-slots="{n_slots}"'
    return f'<svg id="traces" {size} role="img" aria-label="traces over the slots">{"".join(parts)}</svg>'


def _x(slot, n_slots):
    return LEFT + PLOT * slot / max(n_slots, 1)


def _panel(trace, top, n_slots):
    known = [value for value in trace.values if value is not None]
    low = trace.low if trace.low is not None else min(known, default=0.0)
    high = trace.high if trace.high is not None else max(known, default=1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5

    def y_of(value):
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return top + PANEL * (1 - share)

    out = [f'<rect class="panel" x="{LEFT}" y="{top}" width="{PLOT}" height="{PANEL}"/>']
    out.append(f'<text class="name" x="4" y="{top + 16}">{escape(trace.title)}</text>')
    out.append(f'<text class="unit" x="4" y="{top + 31}">{escape(trace.unit)}</text>')
    if not trace.marks:
        out += [_tick(high, top + 9), _tick(low, top + PANEL)]
    for value, name in trace.marks.items():
        y = y_of(value)
        out.append(f'<line class="mark" x1="{LEFT}" x2="{LEFT + PLOT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        y_text = min(max(y + 3.5, top + 9), top + PANEL)
        out.append(f'<text class="tick" x="{LEFT - 5}" y="{y_text:.1f}">{escape(name)}</text>')
    for piece in _pieces(trace.values):
        points = []
        for slot in piece:
            y = y_of(trace.values[slot])
            begin, end = (slot, slot + 1) if trace.steps else (slot + 0.5, slot + 0.5)
            points += [f"{_x(at, n_slots):.1f},{y:.1f}" for at in ((begin, end) if trace.steps else (begin,))]
        out.append(f'<polyline class="curve" points="{" ".join(points)}"/>')
    return "".join(out)


def _pieces(values):
    """Runs of slots whose value is known."""
    piece = []
    for slot, value in enumerate([*values, None]):
        if value is not None:
            piece.append(slot)
        elif piece:
            yield piece
            piece = []


def _tick(value, y):
    return f'<text class="tick" x="{LEFT - 5}" y="{y:.1f}">{value:.3g}</text>'


def _strip(title, kind, values, top, n_slots):
    out = [f'<text class="tick" x="{LEFT - 5}" y="{top + 10}">{escape(title)}</text>']
    width = PLOT / max(n_slots, 1)
    for slot, value in enumerate(values):
        if value is not None:
            box = f'x="{_x(slot, n_slots):.2f}" y="{top}" width="{width + 0.2:.2f}" height="{STRIP}"'
            out.append(f'<rect {box} fill="{STATE_COLOURS[kind][int(value)]}"/>')
    return "".join(out)


def _slot_axis(y, n_slots):
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if n_slots / s <= 14)
    ticks = [
        f'<text class="slot" x="{_x(slot + 0.5, n_slots):.1f}" y="{y + 12}">{slot}</text>'
        for slot in range(0, n_slots, step)
    ]
    return "".join(ticks) + f'<text class="slot" x="{LEFT + PLOT / 2}" y="{y + 28}">slot</text>'
