# SPDX-License-Identifier: GPL-3.0-or-later
"""Judged claims as Markdown: one line a comparison, and what does not hold looked at again."""

from __future__ import annotations

from tokenlink.report.claims import HOLDS, MISSING, UNCLEAR
from tokenlink.report.examination import FAILS
from tokenlink.study.snr_range import LEAST_DELIVERED

_HEAD = """Made by `{command}`. Metrics are those of all frames at an Es/N0, then the plain mean over Es/N0 ({range}).
Differences are paired by sequence, realisation and Es/N0; in brackets the 95 % interval over sequences, of this
comparison alone. *p* is Holm's, corrected for all comparisons on the channel that were fixed beforehand, or for all
that explore. A comparison holds when its difference is above 0 and p below 0.05, a claim when all of its comparisons
do. *Exploratory*: added, or its bound chosen, after results on test sequences had been seen."""


def markdown(
    results: list[dict], title: str, command: str, data: str = "", shares: dict | None = None, head: str = _HEAD
) -> str:
    """The page.

    Parameters
    ----------
    results : list of dict   of `tokenlink.report.claims.settle`
    title, command : str     heading, and what made the page
    data : str               where the rows are from
    shares : dict or None    of `tokenlink.study.snr_range`
    head : str               how comparisons are made, with places for command and range
    """
    lines = [f"# {title}", "", f"{data[:1].upper()}{data[1:]}.", "",
             head.format(command=command, range=range_text(shares or {})), ""]  # fmt: skip
    for exploratory, heading in ((False, "Fixed before results were seen"), (True, "Exploratory")):
        part = [result for result in results if result["exploratory"] == exploratory]
        if part:
            lines += [f"## {heading}", "", *_table(part), "", f"Claims by channel: {_counted(part)}.", ""]
    return "\n".join(lines + _examined(results))


def range_text(shares: dict) -> str:
    """Which Es/N0 count, by channel."""
    if not shares:
        return "all"
    known = {}
    for channel, each in sorted(shares.items()):
        counting = [snr for snr, share in each.items() if share >= LEAST_DELIVERED]
        known.setdefault(min(counting, default=None), []).append(channel)
    parts = [f"{', '.join(channels)}: " + ("all" if first is None else f"from {first:g} dB on")
             for first, channels in known.items()]  # fmt: skip
    return "; ".join(parts)


def _table(results):
    heads = ("claim", "channel", "metric", "left", "right", "difference", "p", "verdict")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for result in results:
        for number, figure in enumerate(result["figures"]):
            head = (f"{result['statement']} ({result['source']})", result["channel"]) if number == 0 else ("", "")
            lines.append("| " + " | ".join([*head, *_cells(figure)]) + " |")
    return lines


def _counted(results):
    counts = {v: sum(r["verdict"] == v for r in results) for v in (HOLDS, FAILS, UNCLEAR, MISSING)}
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)


def metric_text(figure: dict) -> str:
    """The metric of a comparison and what is special about it."""
    text = figure["metric"]
    if figure.get("esn0_db") is not None:
        text += f", {figure['esn0_db'][0]:g} to {figure['esn0_db'][1]:g} dB"
    if figure.get("same_cost"):
        text += f", {figure['same_cost']} side moved to the other's cost"
    if figure.get("slack_of"):
        text += f", plus {figure['share']:g} of {' less '.join(figure['slack_of'])}"
    return text


def _cells(figure):
    if figure["verdict"] == MISSING:
        return metric_text(figure), figure["left"], figure["right"], figure["reason"], "", MISSING
    low, high = figure["interval"]
    return (
        metric_text(figure), f"{figure['left']} {figure['left_mean']:.4f}",
        f"{figure['right']} {figure['right_mean']:.4f}", f"{figure['difference']:+.4f} [{low:+.4f}, {high:+.4f}]",
        f"{figure['p_corrected']:.2g}", figure["verdict"] + _alone(figure),
    )  # fmt: skip


def _alone(figure):
    """What the interval of a comparison says that its corrected p-value does not."""
    low, high = figure["interval"]
    if figure["verdict"] != UNCLEAR or low <= 0 <= high:
        return ""
    return f"; alone {'above' if low > 0 else 'below'} 0"


def _examined(results):
    """What does not hold, looked at again: one line a comparison, none where all hold."""
    found = [(result, figure) for result in results for figure in result["figures"] if "examination" in figure]
    if not found:
        return []
    lines = ["## What does not hold, examined", "", "Differences are left less right, both at the same seeds; how the "
             "figures read follows fixed rules (`tokenlink.report.examination`).", ""]  # fmt: skip
    for result, figure in found:
        lines.append(f"- {result['statement']} {result['channel']}, {figure['metric']} of {figure['left']} and "
                     f"{figure['right']}, {figure['verdict']}. {figure['examination']['reading']}.")  # fmt: skip
    return [*lines, ""]
