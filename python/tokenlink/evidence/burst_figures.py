# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the burst modem from the data of `./twist radio curves`."""

from __future__ import annotations

from pathlib import Path

FORMATS = ("png", "svg")


def draw_all(results, folder):
    """Draw what the results hold.

    Parameters
    ----------
    results : dict   parts of `./twist radio curves`: detection, delivery, loss, calibration
    folder : Path    made if it is not there

    Returns
    -------
    list of Path   the files, each figure as PNG and SVG
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawers = {"detection": _detection, "delivery": _delivery, "loss": _loss, "calibration": _calibration}
    folder, files = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawers.items():
        if name not in results:
            continue
        figure = draw(plt, results[name])
        for suffix in FORMATS:
            files.append(folder / f"burst_{name}.{suffix}")
            undated = {"Date": None} if suffix == "svg" else None
            figure.savefig(files[-1], dpi=130, bbox_inches="tight", metadata=undated)
        plt.close(figure)
    return files


def _detection(plt, data):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    shown = [(t, p) for t, p in zip(data["thresholds"], data["p_false"], strict=True) if p > 0]
    left.semilogy(*zip(*shown, strict=True), "ko", ms=3, label="false alarm, measured")
    left.semilogy(data["thresholds"], data["p_false_bound"], "k--", lw=1, label="exp(-126 t)")
    for number, (level, curve) in enumerate(zip(data["esn0_db"], data["p_detect"], strict=True)):
        missed = [(t, 1 - p) for t, p in zip(data["thresholds"], curve, strict=True) if p < 1]
        if missed:
            left.semilogy(*zip(*missed, strict=True), color=f"C{number}", label=f"missed, {level:g} dB")
        right.plot(data["p_false_bound"], curve, color=f"C{number}", label=f"{level:g} dB")
    left.axvline(data["working_threshold"], color="grey", lw=0.8)
    left.set(xlabel="threshold", ylabel="probability", ylim=(3e-7, 1.2), title="False alarm per position, and missed")
    right.set(xscale="log", xlabel="P(false alarm) per position", ylabel="P(detect)", xlim=(1e-12, 1), title="ROC")
    for axes in (left, right):
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    return figure


def _delivery(plt, rows):
    figure, axes = plt.subplots(figsize=(5.5, 4))
    axes.set_yscale("log")
    some, none = [row for row in rows if row["lost"]], [row for row in rows if not row["lost"]]
    if some:
        share = [row["lost"] / row["sent"] for row in some]
        below = [value - row["lost_low"] for value, row in zip(share, some, strict=True)]
        above = [row["lost_high"] - value for value, row in zip(share, some, strict=True)]
        axes.errorbar([row["esn0_db"] for row in some], share, yerr=[below, above], fmt="o-", capsize=3)
    axes.plot([row["esn0_db"] for row in none], [row["lost_high"] for row in none], "v", label="none lost: upper bound")
    if none:
        axes.legend(fontsize=8)
    axes.axhline(1e-3, color="grey", lw=0.8)
    axes.set(xlabel="Es/N0 (dB)", ylabel="bursts lost, 95 % interval", title="Detection and header together")
    axes.grid(alpha=0.3, which="both")
    return figure


def _loss(plt, rows):
    figure, axes = plt.subplots(figsize=(6.5, 4))
    for number, row in enumerate(rows):
        for kind, style in (("perfect", "--"), ("estimated", "-")):
            shares = [errors / blocks for errors, blocks in zip(row[f"{kind}_errors"], row["blocks"], strict=True)]
            points = [(level, share) for level, share in zip(row["esn0_db"], shares, strict=True) if share > 0]
            label = f"{row['rate']}: {row['loss_db']:.2f} dB" if kind == "estimated" else None
            axes.semilogy(*zip(*points, strict=True), style, marker=".", color=f"C{number}", label=label)
    axes.axhline(0.1, color="grey", lw=0.8)
    axes.set(xlabel="Es/N0 (dB)", ylabel="BLER", title="Perfect knowledge (dashed) and estimated")
    axes.legend(title="rate: loss", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(alpha=0.3, which="both")
    return figure


def _calibration(plt, data):
    figure, pair = plt.subplots(1, 2, figsize=(8.5, 4), sharey=True)
    for axes, name in zip(pair, ("perfect", "estimated"), strict=True):
        row = data[name]
        axes.plot([0, 1], [0, 1], "k--", lw=0.8)
        points = [(c, r) for c, r, n in zip(row["confidence"], row["right"], row["count"], strict=True) if n]
        axes.plot(*zip(*points, strict=True), "o-")
        axes.set(xlabel="confidence", title=f"{name} CSI, ECE {row['ece']:.4f}", xlim=(0, 1), ylim=(0, 1))
        axes.grid(alpha=0.3)
    pair[0].set_ylabel("share of tokens that are right")
    return figure
