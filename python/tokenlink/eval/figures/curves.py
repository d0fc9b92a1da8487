# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of metrics over SNR and bars at an operating point: 4, 6, 7, 9 of the paper, and JPEG and feedback."""

from __future__ import annotations

from tokenlink.eval.claims import select
from tokenlink.eval.figures.canvas import NAMES, Canvas
from tokenlink.eval.statistics import estimate

CHANNEL_ORDER = ("awgn", "rayleigh", "rayleigh:0.9")
POLICIES = ("static-low", "static-med", "static-high", "channel-adaptive", "twist", "oracle")
ABLATIONS = ("twist", "twist-no-gamma", "twist-no-u", "twist-no-d", "twist-no-pi")
RECEIVERS = ("full", "blind-completion", "hold", "uniform", "no-gating", "no-completion", "hard-only")
URGENT = ("static-med", "channel-adaptive", "twist-no-pi", "twist")


def over_snr(canvas, axis, rows, metric, series):
    """Lines of a metric over Es/N0; series: label -> fields of the rows; those that were not run are left out."""
    for label, wanted in series.items():
        mine = select(rows, **wanted)
        snrs = sorted({row["esn0_db"] for row in mine})
        if snrs:
            canvas.line(axis, label, snrs, [estimate(select(mine, esn0_db=snr), metric) for snr in snrs])
    axis.set_xlabel("nominal Es/N0 [dB]")
    axis.set_ylabel(NAMES[metric])


def _channels(rows):
    return [c for c in CHANNEL_ORDER if any(row["channel"] == c for row in rows)]


def _grid(name, rows, metrics, series, note, height=2.7):
    channels = _channels(rows)
    canvas = Canvas(name, len(metrics), len(channels), (4.3 * len(channels), height * len(metrics)))
    for i, metric in enumerate(metrics):
        for j, channel in enumerate(channels):
            axis = canvas.axes[i][j]
            axis.set_title(f"{NAMES[channel]}: {metric}")
            over_snr(canvas, axis, select(rows, channel=channel), metric, series)
    canvas.legend(cols=min(len(series), 2 + 2 * len(channels)))
    canvas.note(note)
    return canvas


def _policies(names):
    return {name: {"policy": name, "receiver": "full"} for name in names}


def performance_and_cost(rows, note=""):
    """Figure 4: F1 and cost of the policies over SNR."""
    return _grid("figure_04_performance_cost", rows, ("f1_avg", "cost"), _policies(POLICIES), note)


def diagnostics(rows, note=""):
    """Figure 6: TSMR, AUER and erasure rate of policies and receivers over SNR."""
    series = _policies(("static-low", "static-med", "static-high", "twist"))
    series |= {name: {"policy": "twist", "receiver": name} for name in ("no-gating", "no-completion", "hard-only")}
    return _grid("figure_06_diagnostics", rows, ("tsmr", "auer", "erasure_rate"), series, note)


def ablation(rows, esn0_db, note=""):
    """Figure 7: F1 and cost without each input of the controller; F1 and TSMR of each receiver, at one SNR."""
    channels = _channels(rows)
    canvas = Canvas("figure_07_ablation", len(channels), 4, (12.5, 2.9 * len(channels)))
    panels = [("f1_avg", "policy", ABLATIONS), ("cost", "policy", ABLATIONS),
              ("f1_avg", "receiver", RECEIVERS), ("tsmr", "receiver", RECEIVERS)]  # fmt: skip
    for line, channel in zip(canvas.axes, channels, strict=True):
        at = select(rows, channel=channel, esn0_db=esn0_db)
        for axis, (metric, key, names) in zip(line, panels, strict=True):
            axis.set_title(f"{NAMES[channel]}, {esn0_db:g} dB: {metric}")
            fixed = {"receiver": "full"} if key == "policy" else {"policy": "twist"}
            found = {n: select(at, **{key: n}, **fixed) for n in names}
            found = {("twist" if n == "full" else n): r for n, r in found.items() if r}
            canvas.bars(axis, list(found), [estimate(r, metric) for r in found.values()])
            _zoom(axis, [estimate(r, metric) for r in found.values()], metric)
    canvas.note(note)
    return canvas


def _zoom(axis, estimates, metric):
    """F1 and cost differ little between variants: begin the axis below them, and say where."""
    if metric in ("f1_avg", "cost") and estimates:
        low = min(min(e.low, e.mean) for e in estimates)
        high = max(max(e.high, e.mean) for e in estimates)
        margin = 0.25 * max(high - low, 0.02)
        axis.set_ylim(max(0.0, low - margin), high + margin)


def urgent(rows, note=""):
    """Figure 9: F1 of urgent frames over SNR."""
    return _grid("figure_09_urgent", rows, ("urgent_f1_avg",), _policies(URGENT), note)


def ages(rows, note=""):
    """Figure 12: how long a wrong twin state lasts, and its age at a random slot."""
    return _grid("figure_12_ages", rows, ("wrong_duration", "wrong_age"), _policies(POLICIES), note)


def jpeg(rows, note=""):
    """Figure 14: tokens against JPEG over the same PHY and budgets."""
    series = {"twist": {"policy": "twist", "receiver": "full"}}
    for level in ("low", "med", "high"):
        series[f"static-{level}"] = {"policy": f"static-{level}", "receiver": "full"}
        series[f"jpeg, {level} budget"] = {"policy": f"static-{level}", "receiver": "jpeg"}
    return _grid("figure_14_jpeg", rows, ("f1_avg",), series, note)


def feedback(rows, note=""):
    """Figure 13: what delay and loss of the feedback do to F1, TSMR and cost."""
    channels = _channels(rows)
    metrics = ("f1_avg", "tsmr", "cost")
    canvas = Canvas("figure_13_feedback", len(metrics), 2 * len(channels), (3.6 * 2 * len(channels), 7.5))
    for j, channel in enumerate(channels):
        here = select(rows, channel=channel, receiver="full")
        for k, (key, fixed, unit) in enumerate((("delay_slots", "loss", "slots"), ("loss", "delay_slots", "share"))):
            for i, metric in enumerate(metrics):
                axis = canvas.axes[i][2 * j + k]
                axis.set_title(f"{NAMES[channel]}: {metric}")
                for policy in ("twist", "channel-adaptive"):
                    _over_feedback(canvas, axis, select(here, policy=policy), metric, policy, key, fixed)
                axis.set_xlabel(f"feedback {'delay' if key == 'delay_slots' else 'lost'} [{unit}]")
    canvas.legend()
    canvas.note(note)
    return canvas


def pareto(rows, note=""):
    """Figure 10: F1 and TSMR against mean cost, each adaptive policy with its thresholds moved; statics as points."""
    channels, metrics = _channels(rows), ("f1_avg", "tsmr")
    canvas = Canvas("figure_10_pareto", len(metrics), len(channels), (4.3 * len(channels), 2.9 * len(metrics)))
    for j, channel in enumerate(channels):
        here = select(rows, channel=channel, receiver="full")
        for i, metric in enumerate(metrics):
            axis = canvas.axes[i][j]
            axis.set_title(f"{NAMES[channel]}: {metric}")
            for policy in ("twist", "channel-adaptive"):
                _front(canvas, axis, [r for r in select(here, policy=policy) if r["control"]], metric, policy)
            for policy in ("static-low", "static-med", "static-high", "oracle"):
                _front(canvas, axis, select(here, policy=policy), metric, policy)
            axis.set_xlabel(NAMES["cost"])
            axis.set_ylabel(NAMES[metric])
    canvas.legend()
    canvas.note(note)
    return canvas


def _front(canvas, axis, rows, metric, label):
    points = {}
    for row in rows:
        points.setdefault(tuple(sorted(row["control"].items())), []).append(row)
    each = sorted(((estimate(p, "cost").mean, estimate(p, metric)) for p in points.values()), key=lambda x: x[0])
    if each:
        canvas.line(axis, label, [cost for cost, _ in each], [value for _, value in each])


def _over_feedback(canvas, axis, rows, metric, label, key, fixed):
    usual = min((row["feedback"][fixed] for row in rows), default=None)
    rows = [row for row in rows if row["feedback"][fixed] == usual]
    values = sorted({row["feedback"][key] for row in rows})
    if not values:
        return
    each = [estimate([r for r in rows if r["feedback"][key] == v], metric) for v in values]
    canvas.line(axis, label, values, each)
