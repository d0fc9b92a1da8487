# SPDX-License-Identifier: GPL-3.0-or-later
"""Bench results as docs/performance.md with its figures."""

from __future__ import annotations

from pathlib import Path

from tokenlink.files.writing import write_text

TITLES = {
    "ldpc": "LDPC",
    "demap": "Demapper",
    "link": "The link in one process",
    "loop": "The loop",
    "sync": "Burst receiver",
    "adaptive": "Adaptive semantic tokens",
}
INTRODUCTION = """# Performance

Written by `./twist bench all --docs`; do not edit. Times are of interleaved repetitions: the least, and the median
beside it; the rate belongs to the least. Figures of other machines do not compare with these, ratios may.
"""
COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#6d597a")


def write(results, machine, folder):
    """Write the page and its figures.

    Parameters
    ----------
    results : list of Result
    machine : dict      of `measure.machine`
    folder : Path       the project's docs

    Returns
    -------
    Path   the page
    """
    figures = Path(folder) / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    parts = [INTRODUCTION, machine_text(machine)]
    for result in results:
        parts += [f"## {TITLES[result.bench]}\n", "\n".join(result.notes) + "\n", rows_text(result.rows)]
        parts += [facts_text(result), profile_text(result.profile)]
        for growth in result.growth:
            draw(growth, machine, figures / f"bench_{growth.name}.svg")
            parts.append(f"![{growth.y_label} over {growth.x_label}](figures/bench_{growth.name}.svg)\n")
    page = Path(folder) / "performance.md"
    write_text(page, "\n".join(part for part in parts if part))
    return page


def machine_text(machine):
    """One paragraph that names the machine."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    vector = f" ({', '.join(machine['vector'])})" if machine["vector"] else ""
    return (f"Machine: {machine['cpu']}{vector}, {machine['cores']} cores, load {machine['load']} at the start; "
            f"{machine['os']}; {versions}; {machine['date']}.\n")


def duration(seconds):
    """A time with three figures and the unit that suits it."""
    for unit, scale in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def amount(value):
    """A number with three figures, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def rows_text(rows):
    """Table of the cases."""
    more = extra_columns(rows)
    lines = ["| case | least | median | rate |" + "".join(f" {title} |" for _, title in more),
             "|---|--:|--:|--:|" + "--:|" * len(more)]
    for row in rows:
        cells = [row["case"], duration(row["minimum_s"]), duration(row["median_s"])]
        cells += [f"{amount(row['rate'])} {row['unit']}", *(extra(row, key) for key, _ in more)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def extra_columns(rows):
    """Columns that only some benches have: list of key and title."""
    titles = {"block_errors": "block errors", "times_slower_than_int8": "times the time of int8",
              "million_macs": "M mult.", "largest_error": "error"}
    return [(key, title) for key, title in titles.items() if any(key in row for row in rows)]


def extra(row, key):
    """Text of such a column's cell."""
    if key not in row:
        return ""
    if key == "block_errors":
        wrong, blocks = row[key]
        return f"{wrong / blocks:.2g}" if wrong > 9 else f"{wrong} of {blocks:,}"
    return amount(row[key])


def facts_text(result):
    """What is no row: latency, memory, peers that are not there."""
    lines = []
    if result.latency:
        lines.append(f"From the frame at the camera to the twin's state: median {duration(result.latency['p50_s'])}, "
                     f"99th percentile {duration(result.latency['p99_s'])} over {result.latency['frames']} frames.")
    if result.memory:
        lines.append(f"Memory of all processes: at most {result.memory['largest_mb']:.0f} MB, "
                     f"{result.memory['gained_mb_per_1000_frames']:+.2g} MB a thousand frames once settled "
                     f"({result.memory['frames']} frames).")
    lines += [f"Not measured: {name} ({reason})." for name, reason in result.skipped.items()]
    return "\n".join(lines) + "\n" if lines else ""


def profile_text(profile):
    """Where the time goes, a table a case."""
    texts = []
    for case in dict.fromkeys(row["case"] for row in profile):
        rows = [row for row in profile if row["case"] == case]
        total = sum(row["minimum_s"] for row in rows if row["stage"] != "loop_s")
        lines = [f"Where the time goes, {case}:\n", "| stage | time | share |", "|---|--:|--:|"]
        for row in rows:  # the loop holds the stages of its turn
            share = "" if row["stage"] == "loop_s" else f"{100 * row['minimum_s'] / total:.0f} %"
            lines.append(f"| {row['stage']} | {duration(row['minimum_s'])} | {share} |")
        texts.append("\n".join(lines) + "\n")
    return "\n".join(texts)


def draw(growth, machine, path):
    """One figure of growth; axes go by powers where the values span more than a decade."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "twist", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(figsize=(5.2, 3.0), layout="constrained")
        for (name, values), colour in zip(growth.curves.items(), COLOURS * len(growth.curves), strict=False):
            many = len(values) > 30
            axes.plot(growth.x, values, color=colour, marker=None if many else "o", markersize=3.5, label=name)
        flat = [value for values in growth.curves.values() for value in values]
        if min(growth.x) > 0 and max(growth.x) > 20 * min(growth.x) and len(growth.x) <= 30:
            axes.set_xscale("log")
        if min(flat) > 0 and max(flat) > 12 * min(flat):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(growth.x_label)
        axes.set_ylabel(growth.y_label)
        axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
        if len(growth.curves) > 1:
            axes.legend(frameon=False)
        axes.set_title(f"{machine['cpu']}, {machine['date']}", fontsize=7, color="#777777", loc="right")
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)
