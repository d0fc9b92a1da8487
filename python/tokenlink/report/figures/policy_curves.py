# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of metrics over SNR and bars at an operating point: 4, 6, 7, 9 of the paper, and JPEG and feedback."""

from __future__ import annotations

from tokenlink.measure.counts import measurable
from tokenlink.measure.statistics import estimate, estimates_side_by_side
from tokenlink.report.claims import select
from tokenlink.report.constant import constant_rows
from tokenlink.report.figures.canvas import BANDS, ESN0_LABEL, NAMES, UNBOUNDED, Canvas
from tokenlink.study.plan import ALL_CHANNELS
from tokenlink.study.receivers import ADAPTIVE as ADAPTIVE_RECEIVER
from tokenlink.study.receivers import JPEG

POLICIES = ("static-low", "static-med", "static-high", "channel-adaptive", "twist", "oracle")
ABLATIONS = ("twist", "twist-no-gamma", "twist-no-u", "twist-no-d", "twist-no-pi")
RECEIVERS = ("full", "blind-completion", "hold", "uniform", "no-gating", "no-completion", "hard-only")
ADAPTIVE = ("twist", "channel-adaptive", "twist-channel-led")
FRONTS = (*ADAPTIVE, "static-low", "static-med", "static-high", "oracle")
FEEDBACK = ("twist", "channel-adaptive")
MOST_TICKS = 10
SMALLEST_AUER = 1e-3  # linear below, so that 0 is there
URGENT = ("static-med", "channel-adaptive", "twist-no-pi", "twist")


def over_snr(canvas, axis, rows, metric, series):
    """Lines of a metric over Es/N0; series: label -> fields of the rows; those that were not run are left out."""
    mine = {label: select(rows, **wanted) for label, wanted in series.items()}
    points = {label: {} for label in mine}
    for snr in sorted({row["esn0_db"] for each in mine.values() for row in each}):
        here = {label: found for label, each in mine.items() if (found := select(each, esn0_db=snr))}
        for label, one in zip(here, _estimates(list(here.values()), metric), strict=True):
            points[label][snr] = one
    for label, found in points.items():
        if found:
            style = "--" if label.startswith(("jpeg", "adaptive")) else "-"
            canvas.line(axis, label, list(found), list(found.values()), style)
    snrs = sorted({snr for found in points.values() for snr in found})
    axis.set_xticks(snrs[:: 1 + len(snrs) // MOST_TICKS])
    axis.set_xlabel(ESN0_LABEL)
    axis.set_ylabel(NAMES[metric])
    _keep_possible(axis, metric)
    if metric == "auer":
        axis.set_yscale("symlog", linthresh=SMALLEST_AUER)
        axis.set_ylim(bottom=0.0)
    if "f1" in metric:
        _constant(canvas, axis, select(rows, policy="twist", receiver="full"), metric)


def _constant_text(rows):
    """What the best constant answer scores on the frames of some rows, for the small print."""
    once = {row["sequence"]: row | {"realisation": 0, "esn0_db": 0.0} for row in rows}
    if not (made := constant_rows(list(once.values()))):
        return ""
    return f"; constant answer {made[0]['answer']}: F1 {estimate(made, measurable('f1_avg', made)).mean:.3f}"


def _constant(canvas, axis, rows, metric):
    """A dotted line: what the constant answer scores that fits these frames best."""
    first = min((row["realisation"] for row in rows), default=0)  # labels are the same in all
    if made := constant_rows(select(rows, realisation=first)):
        found = estimate(made, metric)
        label = f"constant: {made[0]['answer']}"
        axis.axhline(found.mean, color="#888888", linestyle=":", linewidth=1.1, label=label)
        canvas.keep(axis, label, [""], [found])


def _estimates(selections, metric):
    """Estimates of each selection; which sequences there are says little of mismatch and cost, but most of F1."""
    if "f1" in metric or metric.startswith("wrong"):
        return estimates_side_by_side(selections, metric)
    return [estimate(rows, metric) for rows in selections]


def _keep_possible(axis, metric):
    """No room for values that cannot be: shares above 1, and anything below 0."""
    low, high = axis.get_ylim()
    axis.set_ylim(max(low, -0.04 * (high - max(low, 0.0))), high if metric in UNBOUNDED else min(high, 1.02))


def _channels(rows):
    return [c for c in ALL_CHANNELS if any(row["channel"] == c for row in rows)]


def _grid(name, rows, metrics, series, note, height=2.7):
    channels, metrics = _channels(rows), [measurable(metric, rows) for metric in metrics]
    canvas = Canvas(name, len(metrics), len(channels), (4.3 * len(channels), height * len(metrics)))
    for i, metric in enumerate(metrics):
        for j, channel in enumerate(channels):
            axis = canvas.axes[i][j]
            canvas.panel(axis, NAMES[channel], f"{NAMES[channel]}: {metric}")
            over_snr(canvas, axis, select(rows, channel=channel), metric, series)
    canvas.legend(cols=2 + 2 * len(channels))
    canvas.note(f"{note}; {BANDS}")
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
    rows = select(rows, esn0_db=esn0_db)
    channels = [c for c in _channels(rows) if _compares(select(rows, channel=c))] or _channels(rows)
    canvas = Canvas("figure_07_ablation", len(channels), 4, (13.0, 2.5 * len(channels)))
    f1 = measurable("f1_avg", rows)
    panels = [(f1, "policy", ABLATIONS), ("cost", "policy", ABLATIONS), (f1, "receiver", RECEIVERS),
              ("tsmr", "receiver", RECEIVERS)]  # fmt: skip
    for line, channel in zip(canvas.axes, channels, strict=True):
        at = select(rows, channel=channel)
        for axis, (metric, key, names) in zip(line, panels, strict=True):
            title = f"{NAMES[channel]}, {esn0_db:g} dB"
            canvas.panel(axis, title, f"{title}: {metric} by {key}")
            fixed = {"receiver": "full"} if key == "policy" else {"policy": "twist"}
            found = {n: select(at, **{key: n}, **fixed) for n in names}
            found = {("twist" if n == "full" else n): r for n, r in found.items() if r}
            canvas.points(axis, list(found), _estimates(list(found.values()), metric))
            axis.set_xlabel(NAMES[metric])
    canvas.note(f"{note}; {BANDS}".replace("bands", "bars") + _constant_text(rows))
    return canvas


def _compares(rows):
    return len({(row["policy"], row["receiver"]) for row in rows if row["policy"] in ABLATIONS}) > 1


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
    met = {row["channel"] for row in rows if row["receiver"] == JPEG}
    rows = [row for row in rows if row["channel"] in met] or rows
    return _grid("figure_14_jpeg", rows, ("f1_avg",), series, note)


def adaptive(rows, note=""):
    """Figure 16: TWIST against analogue tokens at the same mean channel uses."""
    series = {"twist": {"policy": "twist", "receiver": "full"}}
    for level in ("low", "med", "high"):
        series[f"static-{level}"] = {"policy": f"static-{level}", "receiver": "full"}
        series[f"adaptive, {level} budget"] = {"policy": f"static-{level}", "receiver": ADAPTIVE_RECEIVER}
    return _grid("figure_16_adaptive", rows, ("f1_avg",), series, note, height=3.6)


def feedback(rows, note=""):
    """Figure 13: what delay and loss of the feedback do to F1, TSMR and cost."""
    channels = _channels(rows)
    metrics = (measurable("f1_avg", rows), "tsmr", "cost")
    canvas = Canvas("figure_13_feedback", len(metrics), 2 * len(channels), (3.9 * 2 * len(channels), 7.5))
    for j, channel in enumerate(channels):
        here = select(rows, channel=channel, receiver="full")
        for k, (key, fixed) in enumerate((("delay_slots", "loss"), ("loss", "delay_slots"))):
            for i, metric in enumerate(metrics):
                axis = canvas.axes[i][2 * j + k]
                axis.sharey(canvas.axes[i][0])
                canvas.panel(axis, NAMES[channel], f"{NAMES[channel]}: {metric} over {key}")
                values = _over_feedback(canvas, axis, here, metric, key, fixed)
                axis.set_xlabel("feedback delay [slots]" if key == "delay_slots" else "share of feedback lost")
                axis.set_xticks(values)
                axis.set_ylabel(NAMES[metric])
    for line, metric in zip(canvas.axes, metrics, strict=True):
        _keep_possible(line[0], metric)  # once all that share the axis are drawn
    canvas.legend()
    canvas.note(f"{note}; mean over {_snrs(rows)}; {BANDS}{_constant_text(rows)}")
    return canvas


def _snrs(rows):
    """The Es/N0 of rows, apart by channel where they differ."""
    found = {}
    for channel in _channels(rows):
        snrs = ", ".join(f"{snr:g}" for snr in sorted({row["esn0_db"] for row in select(rows, channel=channel)}))
        found.setdefault(snrs, []).append(NAMES[channel])
    parts = [f"{snrs} dB" + (f" ({', '.join(names)})" if len(found) > 1 else "") for snrs, names in found.items()]
    return "; ".join(parts)


def pareto(rows, note=""):
    """Figure 10: F1, TSMR, and TSMR of urgent frames against mean cost, each adaptive policy with its thresholds moved;
    statics as points."""
    channels, metrics = _channels(rows), [measurable("f1_avg", rows), "tsmr"]
    if any(row["urgent"].get("n_frames") for row in rows):
        metrics.append("urgent_tsmr")
    canvas = Canvas("figure_10_pareto", len(metrics), len(channels), (4.3 * len(channels), 2.9 * len(metrics)))
    for j, channel in enumerate(channels):
        here = select(rows, channel=channel, receiver="full")
        for i, metric in enumerate(metrics):
            axis = canvas.axes[i][j]
            canvas.panel(axis, NAMES[channel], f"{NAMES[channel]}: {metric}")
            _fronts(canvas, axis, here, metric)
            axis.set_xlabel(NAMES["cost"])
            axis.set_ylabel(NAMES[metric])
            _keep_possible(axis, metric)
    canvas.legend()
    canvas.note(f"{note}; mean over {_snrs(rows)}; {BANDS}{_constant_text(rows)}")
    return canvas


def _fronts(canvas, axis, rows, metric):
    """A line for each adaptive policy, a point for each other."""
    points = {}
    for row in rows:
        if row["policy"] in FRONTS and bool(row["control"]) == (row["policy"] in ADAPTIVE):
            points.setdefault((row["policy"], tuple(sorted(row["control"].items()))), []).append(row)
    met = {key: {(r["sequence"], r["realisation"], r["esn0_db"]) for r in found} for key, found in points.items()}
    most = max(met.values(), key=len, default=set())
    points = {key: found for key, found in points.items() if met[key] == most}  # of fewer SNRs would be another mean
    if not points:
        return
    each = _estimates(list(points.values()), metric)
    costs = [estimate(found, "cost").mean for found in points.values()]
    for policy in FRONTS:
        mine = sorted(((cost, one) for (name, _), cost, one in zip(points, costs, each, strict=True) if name == policy),
                      key=lambda pair: pair[0])  # fmt: skip
        if mine:
            canvas.line(axis, policy, *zip(*mine, strict=True))


def _over_feedback(canvas, axis, rows, metric, key, fixed):
    """A line for each policy over one of delay and loss, the other at its least; the values on the x axis."""
    usual = min((row["feedback"][fixed] for row in rows), default=None)
    points = {}
    for row in rows:
        if row["feedback"][fixed] == usual and row["policy"] in FEEDBACK:
            points.setdefault((row["policy"], row["feedback"][key]), []).append(row)
    if not points:
        return []
    each = dict(zip(points, _estimates(list(points.values()), metric), strict=True))
    for policy in FEEDBACK:
        mine = sorted(value for name, value in each if name == policy)
        if mine:
            canvas.line(axis, policy, mine, [each[policy, value] for value in mine])
    return sorted({value for _, value in each})
