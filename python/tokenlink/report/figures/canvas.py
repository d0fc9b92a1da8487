# SPDX-License-Identifier: GPL-3.0-or-later
"""How figures look and how they are written: one style, PNG and SVG, and a CSV with every point drawn."""

from __future__ import annotations

import csv
import math
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # no display needed, and none opened
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402

LEGEND_ROOM_IN = 0.42
NOTE_CHARACTERS_AN_INCH, NOTE_LINE_IN = 20, 0.12
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
    "twist-channel-led": ("#CC79A7", "P"), "constant": ("#888888", ""),
    "uniform": ("#CC79A7", "P"), "no-gating": ("#E69F00", "X"), "no-completion": ("#009E73", "<"),
    "hard-only": ("#000000", ">"), "jpeg": ("#E69F00", "h"), "hold": ("#56B4E9", "p"),
    "blind-completion": ("#0072B2", "d"), "nominal": ("#000000", ""), "received": ("#BBBBBB", ""),
    **{f"jpeg, {level} budget": (colour, mark) for level, colour, mark in (
        ("low", "#E69F00", "v"), ("med", "#CC79A7", "s"), ("high", "#882255", "^"))},
    **{f"adaptive, {level} budget": (colour, mark) for level, colour, mark in (
        ("low", "#E69F00", "v"), ("med", "#CC79A7", "s"), ("high", "#882255", "^"))},
    "no prior": ("#999999", "v"), "told once": ("#56B4E9", "s"), "three exchanges": ("#D55E00", "o"),
    "genie": ("#000000", "*"),
    "adaptive": ("#D55E00", "o"), "vit-ae": ("#0072B2", "s"), "mnv3": ("#009E73", "^"), "mnv3-cnn": ("#CC79A7", "D"),
    "resize": ("#999999", ""), "jpeg at capacity": ("#E69F00", ""), "jpeg-ldpc": ("#000000", ""),
    "tokcode": ("#D55E00", "o"), "none": ("#000000", "s"), "infilling": ("#0072B2", "^"), "masked": ("#56B4E9", "v"),
    "repetition": ("#009E73", "D"), "bound": ("#999999", ""),
    "symbols of the tokens": ("#D55E00", "o"), "with the picture's header": ("#0072B2", "s"),
    "with the whole burst": ("#999999", "v"),
    "1/3": ("#0072B2", "o"), "1/2": ("#009E73", "s"), "2/3": ("#E69F00", "^"), "3/4": ("#CC79A7", "D"),
    "5/6": ("#D55E00", "v"),
}  # fmt: skip
SUBJECTS = ("twist", "adaptive", "tokcode")
_SPARE = ("#E69F00", "#CC79A7", "#56B4E9", "#000000", "#009E73", "#0072B2", "#D55E00", "#999999")
NAMES = {
    "f1_avg": "traffic-state macro-F1", "f1_car": "F1 of car presence", "urgent_f1_car": "F1 of cars, urgent frames",
    "tsmr": "token state mismatch", "urgent_tsmr": "mismatch of urgent frames", "auer": "wrong among accepted",
    "erasure_rate": "erased tokens", "cost": "mean cost $B_m/B_0$", "urgent_f1_avg": "F1 of urgent frames",
    "wrong_duration": "wrong state lasts [slots]", "wrong_age": "age of wrong state [slots]",
    "awgn": "AWGN", "rayleigh": "Rayleigh", "rayleigh:0.9": "slow Rayleigh",
}  # fmt: skip
UNBOUNDED = ("cost", "wrong_duration", "wrong_age")  # no shares: their axis may go above 1
_WORDS = {
    "tokcode": "token encoder", "none": "as it is", "infilling": "T5 infilling", "masked": "masked prediction",
    "repetition": "repetition", "bound": "greedy bound",
    "adaptive": "proposal", "vit-ae": "ViT AE", "mnv3": "MNv3", "mnv3-cnn": "MNv3 CNN", "resize": "Resize at capacity",
    "jpeg-ldpc": "JPEG over LDPC",
    "twist": "TWIST", "static-low": "Static-Low", "static-med": "Static-Med", "static-high": "Static-High",
    "channel-adaptive": "Channel-Adaptive", "oracle": "oracle", "twist-no-gamma": "TWIST without \u03b3",
    "twist-no-u": "TWIST without u", "twist-no-d": "TWIST without d", "twist-no-pi": "TWIST without \u03c0",
    "uniform": "uniform protection", "no-gating": "no gating", "no-completion": "no completion",
    "twist-channel-led": "TWIST led by the channel",
    "hold": "hold previous", "hard-only": "hard decisions", "blind-completion": "blind completion",
}  # fmt: skip
ESN0_LABEL = "nominal $E_s/N_0$ [dB]"
BANDS = "bands: 95 % over sequences, of F1 and ages less what all series of a panel share"
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
        self._top, self._bottom = 1.0, 0.02

    def line(self, axis, label, x, estimates, style="-"):
        """A line with its interval as a band; x: list of float, estimates: list of Estimate."""
        colour, mark = look(label)
        mean, low, high = ([getattr(e, key) for e in estimates] for key in ("mean", "low", "high"))
        above = 3.0 if label in SUBJECTS else 2.0  # what this is about is not hidden by what it is compared with
        axis.plot(x, mean, color=colour, marker=mark, markersize=4, linewidth=1.3, linestyle=style, label=words(label),
                  zorder=above)  # fmt: skip
        if len(x) > 1:
            axis.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
        else:
            axis.vlines(x, low, high, color=colour, linewidth=1)
        self.keep(axis, label, x, estimates)

    def scatter(self, axis, label, x, estimates):
        """Points with their intervals and no line between; as `line`."""
        colour, mark = look(label)
        mean = np.array([e.mean for e in estimates])
        reach = [mean - [e.low for e in estimates], [e.high for e in estimates] - mean]
        axis.errorbar(x, mean, yerr=reach, color=colour, marker=mark, markersize=5, linestyle="none", capsize=2,
                      linewidth=1, label=words(label))  # fmt: skip
        self.keep(axis, label, x, estimates)

    def points(self, axis, labels, estimates):
        """A point with its interval for each label, one below the other."""
        for at, (label, e) in enumerate(zip(labels, estimates, strict=True)):
            colour, mark = look(label)
            reach = None if math.isnan(e.low) else [[e.mean - e.low], [e.high - e.mean]]
            axis.errorbar([e.mean], [at], xerr=reach, color=colour, marker=mark, markersize=6, capsize=3, linewidth=1.3)
            self.keep(axis, label, [""], [e])
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.set_yticks(range(len(labels)), [words(label) for label in labels])
        axis.grid(axis="y", visible=False)
        axis.margins(x=0.12)

    def panel(self, axis, title, name=None):
        """Title of a panel, and its name in the CSV."""
        axis.set_title(title)
        axis.set_label(name or title)

    def keep(self, axis, label, x, estimates):
        """Note what was drawn for the CSV."""
        panel = axis.get_label() or axis.get_title()
        for at, e in zip(x, estimates, strict=True):
            self.data.append([panel, label, at, e.mean, e.low, e.high, e.sequence_std, e.realisation_std])

    def legend(self, cols=4):
        """One legend for all panels, above them; in fewer columns where the figure is too narrow for so many."""
        found = dict(zip(*reversed(self.axes[0][0].get_legend_handles_labels()), strict=True))
        for axis in self.axes.flat:
            found |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        renderer = FigureCanvasAgg(self.figure).get_renderer()  # whatever canvas the figure has
        for most in range(cols, 0, -1):
            rows = -(-len(found) // most)
            legend = self.figure.legend(found.values(), found.keys(), loc="upper center",
                                        ncols=max(1, -(-len(found) // rows)))  # fmt: skip
            if most == 1 or legend.get_window_extent(renderer).width <= self.figure.bbox.width:
                break
            legend.remove()
        self._top = 1 - (0.1 + LEGEND_ROOM_IN * rows / 2) / self.figure.get_figheight()

    def note(self, text):
        """Small print at the lower left: where the data is from."""
        lines = textwrap.wrap(text, int(self.figure.get_figwidth() * NOTE_CHARACTERS_AN_INCH))
        self._bottom = 0.02 + (len(lines) - 1) * NOTE_LINE_IN / self.figure.get_figheight()
        self.figure.text(0.005, 0.005, "\n".join(lines), fontsize=6.5, color="#555555", ha="left", va="bottom")

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.png, NAME.svg and NAME.csv; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        self.figure.tight_layout(rect=(0, self._bottom, 1, self._top))
        paths = [folder / f"{self.name}.{kind}" for kind in ("png", "svg", "csv")]
        self.figure.savefig(paths[0], metadata={"Software": None})
        self.figure.savefig(paths[1], metadata={"Date": None})
        plt.close(self.figure)
        with paths[2].open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["panel", "series", "x", "mean", "low", "high", "sequence_std", "realisation_std"])
            writer.writerows([_known(value) for value in line] for line in self.data)
        return paths


def _known(value):
    """A value as the CSV has it: nothing where nothing is known, and no digits that only a last bit decides."""
    return value if not isinstance(value, float) else "" if math.isnan(value) else float(f"{value:.7g}")


def look(label: str) -> tuple[str, str]:
    """Colour and mark of a series; the same one for the same name."""
    return LOOKS.get(label) or (_SPARE[sum(label.encode()) % len(_SPARE)], ".")


def words(label: str) -> str:
    """A series as a reader knows it."""
    return _WORDS.get(label, label.replace("jpeg", "JPEG"))
