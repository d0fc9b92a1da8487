# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a run as rows of text, for the terminal and for the report."""

from __future__ import annotations

MOST_MODES = 4  # in a row of the table
STAGE_NAMES = {
    "source_s": "frame from the source",
    "tokenize_s": "tokenizer",
    "encode_s": "encoder",
    "radio_s": "tokens in to estimate out",
    "foretell_s": "predictor",
    "complete_s": "completion",
    "head_s": "traffic-state head",
    "decode_s": "decoder",
    "control_s": "controller",
    "loop_s": "tokens sent to next mode",
}


def summary_rows(summary, timing, info, metrics):
    """Rows (metric, value, meaning) of a run.

    Parameters
    ----------
    summary, timing, info : dict   summary.json, timing.json and run.json of a run folder
    metrics : tuple of Metric      of the run's system
    """
    rows = [
        (each.label, (_percent if each.is_share else _number)(summary[each.key]), each.meaning.format(**summary))
        for each in metrics if each.key in summary
    ]  # fmt: skip
    rows += [
        ("modes", _shares(summary["mode_shares"]), "share of frames"),
        ("frames", str(summary["n_frames"]), f"{info.get('camera', {}).get('n_skipped', 0)} unreadable skipped"),
        ("frames/s", _number(timing["frames_per_s"], 1), "steady state, lock step"),
        ("missed", str(summary["n_missed"]), "slots of which nothing came through"),
        *_prior_rows(info.get("radio", {})),
        ("first slot", f"{_ms(timing['first_slot_s'])} ms", "start-up, not in the latencies below"),
        ("wall time", f"{timing['wall_s']:.1f} s", "start, run and stop"),
    ]
    for stage, values in timing["latency_s"].items():
        name = f"latency {stage[:-2]}" if stage in STAGE_NAMES else f"· {stage[:-2]}"
        meaning = STAGE_NAMES.get(stage, "block of the radio")
        rows.append((name, f"{_ms(values['p50'])} / {_ms(values['p99'])} ms", meaning))
    return rows


def _prior_rows(counts):
    """Rows of what frames were decoded with, from the radio's counters of each block; none where priors are off."""
    found = {}
    for block in counts.values():
        for cause, n in block.items():
            if cause.startswith("prior_"):
                found[cause] = found.get(cause, 0) + n
    if not found:
        return []
    others = [f"{cause.removeprefix('prior_').replace('_', ' ')} {n}" for cause, n in sorted(found.items())
              if cause != "prior_used"]  # fmt: skip
    return [("priors used", str(found.get("prior_used", 0)), ", ".join(others) or "frames decoded with a prior")]


def _number(value, digits=3):
    return "not defined" if value is None else f"{value:.{digits}f}"


def _percent(value):
    return "not defined" if value is None else f"{100 * value:.1f} %"


def _ms(value_s):
    return "-" if value_s is None else f"{1000 * value_s:.1f}"


def _shares(shares):
    """All modes, or of very many the most frequent ones."""
    if len(shares) > MOST_MODES:
        frequent = sorted(shares.items(), key=lambda entry: -entry[1])[: MOST_MODES - 1]
        shares = dict(frequent) | {"others": 1 - sum(share for _, share in frequent)}
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
