# SPDX-License-Identifier: GPL-3.0-or-later
"""How figures look and how they are written: one style, PNG and SVG, and a CSV with every point drawn."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display needed, and none opened
from matplotlib import pyplot as plt  # noqa: E402

LEGEND_ROOM_IN = 0.42
STYLE = {
    "figure.dpi": 130, "font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "grid.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 8,
    "axes.titlesize": 9.5, "axes.titleweight": "bold", "svg.hashsalt": "twist", "svg.fonttype": "none",
}  # fmt: skip
# Colours that stay apart for most colour-blind readers (Okabe and Ito), and a mark of its own for each line.
LOOKS = {
    "twist": ("#D55E00", "o"), "static-low": ("#999999", "v"), "static-med": ("#56B4E9", "s"),
    "static-high": ("#0072B2", "^"), "channel-adaptive": ("#009E73", "D"), "oracle": ("#000000", "*"),
    "twist-no-gamma": ("#CC79A7", "v"), "twist-no-u": ("#56B4E9", "s"),
    "twist-no-d": ("#009E73", "^"), "twist-no-pi": ("#0072B2", "D"),
    "uniform": ("#CC79A7", "P"), "no-gating": ("#E69F00", "X"), "no-completion": ("#009E73", "<"),
    "hard-only": ("#000000", ">"), "jpeg": ("#E69F00", "h"),
    "1/3": ("#0072B2", "o"), "1/2": ("#009E73", "s"), "2/3": ("#E69F00", "^"), "3/4": ("#CC79A7", "D"),
    "5/6": ("#D55E00", "v"),
}  # fmt: skip
_SPARE = ("#E69F00", "#CC79A7", "#56B4E9", "#000000", "#009E73", "#0072B2", "#D55E00", "#999999")
NAMES = {
    "f1_avg": "traffic-state macro-F1", "tsmr": "token state mismatch (TSMR)", "auer": "accepted wrong (AUER)",
    "erasure_rate": "erased tokens (ER)", "cost": "cost, B_m / B_0", "urgent_f1_avg": "macro-F1 of urgent frames",
    "wrong_duration": "duration of a wrong state [slots]", "wrong_age": "age of incorrect information [slots]",
    "awgn": "AWGN", "rayleigh": "Rayleigh", "rayleigh:0.9": "slow Rayleigh",
}  # fmt: skip
plt.rcParams.update(STYLE)


@dataclass
class Canvas:
    """A figure while it is drawn, with the data that goes into it.

    Parameters
    ----------
    name : str              file name without extension
    rows, cols : int        panels
    size : (width, height)  inches
    """

    name: str
    rows: int = 1
    cols: int = 1
    size: tuple = (8.0, 3.2)
    data: list = field(default_factory=list)

    def __post_init__(self):
        self.figure, self.axes = plt.subplots(self.rows, self.cols, figsize=self.size, squeeze=False)
        self._top = 1.0

    def line(self, axis, label, x, estimates, style=None):
        """A line with its interval as a band; x: list of float, estimates: list of Estimate."""
        colour, mark = look(style or label)
        mean, low, high = ([getattr(e, key) for e in estimates] for key in ("mean", "low", "high"))
        axis.plot(x, mean, color=colour, marker=mark, markersize=4, linewidth=1.3, label=label)
        axis.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
        self.keep(axis, label, x, estimates)

    def bars(self, axis, labels, estimates):
        """Bars with intervals."""
        mean = [e.mean for e in estimates]
        # A bootstrap interval need not hold the mean of a skewed metric.
        whiskers = [[max(0.0, e.mean - e.low) for e in estimates], [max(0.0, e.high - e.mean) for e in estimates]]
        axis.bar(range(len(labels)), mean, color=[look(label)[0] for label in labels], width=0.65)
        axis.errorbar(range(len(labels)), mean, whiskers, fmt="none", ecolor="#333333", elinewidth=1, capsize=3)
        axis.set_xticks(range(len(labels)), [short(label) for label in labels], rotation=25, ha="right")
        axis.grid(axis="x", visible=False)
        for label, estimate in zip(labels, estimates, strict=True):
            self.keep(axis, label, [""], [estimate])

    def keep(self, axis, label, x, estimates):
        """Note what was drawn for the CSV."""
        panel = axis.get_title() or axis.get_ylabel()
        for at, e in zip(x, estimates, strict=True):
            self.data.append([panel, label, at, e.mean, e.std, e.low, e.high])

    def legend(self, cols=4):
        """One legend for all panels, above them."""
        found = dict(zip(*reversed(self.axes[0][0].get_legend_handles_labels()), strict=True))
        for axis in self.axes.flat:
            found |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        rows = -(-len(found) // cols)
        self._top = 1 - (0.1 + LEGEND_ROOM_IN * rows / 2) / self.figure.get_figheight()
        self.figure.legend(found.values(), found.keys(), loc="upper center", ncols=min(cols, max(1, len(found))))

    def note(self, text):
        """Small print at the lower left: where the data is from."""
        self.figure.text(0.005, 0.005, text, fontsize=6.5, color="#555555", ha="left", va="bottom")

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.png, NAME.svg and NAME.csv; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        self.figure.tight_layout(rect=(0, 0.02, 1, self._top))
        paths = [folder / f"{self.name}.{kind}" for kind in ("png", "svg", "csv")]
        self.figure.savefig(paths[0], metadata={"Software": None})
        self.figure.savefig(paths[1], metadata={"Date": None})
        plt.close(self.figure)
        with paths[2].open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["panel", "series", "x", "mean", "std", "low", "high"])
            writer.writerows(self.data)
        return paths


def look(label: str) -> tuple[str, str]:
    """Colour and mark of a series; the same one for the same name."""
    return LOOKS.get(label) or (_SPARE[sum(label.encode()) % len(_SPARE)], ".")


def short(label: str) -> str:
    """A label for a narrow place."""
    return label.replace("twist-no-", "w/o ").replace("static-", "").replace("channel-adaptive", "chan.-adapt.")
