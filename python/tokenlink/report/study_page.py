# SPDX-License-Identifier: GPL-3.0-or-later
"""All figures and claims of an evaluation on one page."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from tokenlink.files.writing import write_text
from tokenlink.report.claim_page import metric_text
from tokenlink.report.claims import HOLDS, MISSING, UNCLEAR
from tokenlink.report.examination import FAILS
from tokenlink.systems import System

_COLOURS = {HOLDS: "#2a7d46", FAILS: "#b3261e", UNCLEAR: "#8a6d00", MISSING: "#777"}
_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evaluation</title><style>
body{font:15px/1.45 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:13px;width:100%}td,th{border-bottom:1px solid #ddd;padding:.3rem .5rem;
text-align:left;vertical-align:top}img{max-width:100%;height:auto}h2{margin-top:2.2rem}.small{color:#666;font-size:13px}
</style></head><body>"""


def write_report(
    path: Path, setting: dict, note: str, system: System, figures: dict[int, Path], claims: list[dict], left_out: dict
):
    """Write the page.

    Parameters
    ----------
    path : Path
    setting : dict                what all rows share
    note : str                    data in one line
    system : System               whose figures are shown
    figures : dict of int to Path PNG of each figure drawn
    claims : list of dict         see `tokenlink.report.claims.check`
    left_out : dict of int to str figures that could not be drawn, and why
    """
    parts = [_HEAD, f"<h1>Evaluation</h1><p>{escape(note)}</p>", _hashes(setting), "<h2>Claims</h2>", _table(claims)]
    for number, title in ((each.number, each.title) for each in system.figures):
        parts.append(f"<h2>Figure {number}: {escape(title)}</h2>")
        if number in figures:
            parts.append(_image(figures[number]))
        else:
            parts.append(f'<p class="small">{escape(left_out.get(number, "not drawn"))}</p>')
    write_text(path, "\n".join([*parts, "</body></html>"]) + "\n")


def _hashes(setting):
    hashes = setting.get("hashes", {})
    known = {name: value for name, value in setting.items() if name.endswith("sha256")}
    known |= hashes | hashes.get("models", {})
    rows = [f"{name}: {value}" for name, value in known.items() if isinstance(value, str)]
    return f'<p class="small">{"<br>".join(escape(row) for row in rows)}</p>'


def _image(path):
    data = base64.b64encode(path.read_bytes()).decode()
    files = ", ".join(f'<a href="{path.with_suffix(s).name}">{s[1:].upper()}</a>' for s in (".png", ".svg", ".csv"))
    return f'<img alt="{escape(path.stem)}" src="data:image/png;base64,{data}"><p class="small">{files}</p>'


def _table(claims):
    head = "".join(f"<th>{name}</th>" for name in ("claim", "channel", "figures", "verdict"))
    rows = [f"<tr>{head}</tr>"]
    for claim in claims:
        lines = "<br>".join(_line(figure) for figure in claim["figures"])
        colour = _COLOURS[claim["verdict"]]
        rows.append(
            f"<tr><td>{escape(claim['statement'])} <span class='small'>({_source(claim)})</span></td>"
            f"<td>{escape(claim['channel'])}</td><td>{lines}</td>"
            f"<td style='color:{colour};font-weight:600'>{claim['verdict']}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _source(claim):
    return escape(claim["source"] + (", exploratory" if claim["exploratory"] else ""))


def _line(figure):
    name = f"{metric_text(figure)}: {figure['left']} against {figure['right']}"
    if figure["verdict"] == MISSING:
        return escape(f"{name}: {figure['reason']}")
    low, high = figure["interval"]
    reading = figure.get("examination", {}).get("reading", "")
    return escape(
        f"{name}: {figure['left_mean']:.4f}, {figure['right_mean']:.4f}; difference {figure['difference']:+.4f} "
        f"[{low:+.4f}, {high:+.4f}], p {figure['p_corrected']:.2g} of {figure['judged_together']} judged together"
    ) + (f'<br><span class="small">{escape(reading)}</span>' if reading else "")
