# SPDX-License-Identifier: GPL-3.0-or-later
"""TWIST: road scenes as tokens, a codeword for each utility group, a gate on confidence, a controller of risk."""

from __future__ import annotations

import hashlib

import numpy as np

from tokenlink.control import POLICIES, ControlConfig, check_modes, load_controller, make_policy
from tokenlink.link.gating import gate, thresholds_with_prior
from tokenlink.link.modes import load_mode_table
from tokenlink.link.prior_decoding import decide_with_prior, decode_with_prior
from tokenlink.link.prior_schedule import doubt_of, prior_report
from tokenlink.link.twist import TokenDecision, decode_frame, demap_groups, encode_frame
from tokenlink.measure.metrics import summarize
from tokenlink.measure.records import Recorder
from tokenlink.phy.header import SYSTEMS as NUMBERS
from tokenlink.systems.description import Figure, Loop, Metric, Models, Payload, Source, Study, System
from tokenlink.wire import LinkReport, TokenEstimate, TokenFrame

NAME = "twist"


def _open(source):
    from tokenlink.data.sources import open_source

    return open_source(source)


def _invented(scene, n_frames):
    return f"invented:{scene}?frames={n_frames}"


def _fits(n_symbols, mode, table):
    return n_symbols == table.total_channel_uses(mode)


def _encode(message, mode, table):
    return encode_frame(message.token_ids, mode, table)


def _decode(symbols, channel_gain, n0, mode, table, link, expected=None):
    decision, drops = _decide(symbols, channel_gain, n0, mode, table, expected)
    erased = gate(decision.confidence, thresholds_with_prior(table.token_thresholds(mode), doubt_of(drops)))
    confidence = np.clip(decision.confidence, 0, 1).astype(np.float32)
    estimate = TokenEstimate(
        mode_id=mode.mode_id, token_ids=decision.token_ids, confidence=confidence, erased=erased, **link
    )
    return estimate, LinkReport(iterations=decision.iterations, parity_ok=decision.parity_ok, drops=drops, **link)


def _decide(symbols, channel_gain, n0, mode, table, expected):
    """TokenDecision of a frame, and what its report says of the prior."""
    if expected is None or expected.prior is None:
        decision = decode_frame(symbols, channel_gain, n0, mode, table)
        return decision, {} if expected is None else {"prior": prior_report(expected.outcome)}
    llr = demap_groups(symbols, channel_gain, n0, mode, table)
    found = decode_with_prior(llr, expected.prior, mode, table, exchanges=expected.exchanges)
    token_ids, confidence = decide_with_prior(found.extrinsic_llr, found.prior, table)
    told = prior_report(expected.outcome, float(found.doubt), int(found.exchanges))
    return TokenDecision(token_ids, confidence, found.iterations, found.parity_ok), {"prior": told}


def _draw(rng, slot, mode, table):
    return TokenFrame(slot, 0, rng.integers(0, table.vocab_size, table.n_tokens).astype(np.int32))


def _content(message):
    return message.token_ids


def _agreed(table):
    names = ("vocab_size", "grid", "nominal_budget", "modulation", "max_iterations")
    entries = {name: getattr(table, name) for name in names}
    entries["group_map"] = hashlib.sha256(table.group_map.astype("<i8").tobytes()).hexdigest()
    entries["llr_scale"] = ", ".join(f"{rate}: {scale}" for rate, scale in sorted(table.llr_scale.items()))
    entries["modes"] = ", ".join(mode.name for mode in table.modes)
    for mode in table.modes:
        entries[f"{mode.name}.budget"] = mode.budget
        for name in ("code_rates", "thresholds"):
            entries[f"{mode.name}.{name}"] = ", ".join(map(str, getattr(mode, name)))
    return entries


def _sender(root, table):
    from tokenlink.models.twist.sender import TokenSender

    return TokenSender(root, table)


def _receiver(root, table, completion):
    from tokenlink.models.inference import load_networks, one_frame

    return one_frame(load_networks(root, table), completion)


def _policy(name, control, table, artifacts):
    return make_policy(name, control)


def _wrong(truth, estimate, state):
    return int(np.count_nonzero(state.token_ids != truth.token_ids))


METRICS = (
    Metric("f1_avg", "F1 average", "mean over {n_labelled} labelled frames", on_card=True, in_study=True),
    Metric("f1_car", "F1 car", "car present", in_study=True),
    Metric("f1_sequence_std", "+- sequences", in_study=True),
    Metric("f1_realisation_std", "+- seeds", in_study=True),
    Metric("f1_vru", "F1 VRU", "pedestrian, cyclist present"),
    Metric("f1_density", "F1 density", "macro, low medium high"),
    Metric("tsmr", "TSMR", "twin tokens unlike the camera's", on_card=True, in_study=True),
    Metric("auer", "AUER", "wrong among accepted tokens", on_card=True, in_study=True),
    Metric("erasure_rate", "erased", "tokens below their threshold", is_share=True, on_card=True, in_study=True),
    Metric("cost", "cost", "mean budget over nominal", on_card=True, in_study=True),
)

# 4 to 9 are the paper's numbers.
FIGURES = (
    Figure(4, "F1 and cost of the policies over SNR", "main", "main"),
    Figure(5, "The closed loop while the mean SNR changes", "temporal", "temporal"),
    Figure(6, "Token state mismatch, wrongly accepted and erased tokens", "main", "main"),
    Figure(7, "Ablation of controller inputs and of the receiver", "main", "main"),
    Figure(8, "A frame on its way through the link", "examples", "main"),
    Figure(9, "F1 of urgent frames", "main", "main"),
    Figure(10, "F1 and TSMR against mean cost", "pareto", "pareto"),
    Figure(11, "Reliability of token confidences", "main", "main"),
    Figure(12, "Duration and age of wrong twin states", "main", "main"),
    Figure(13, "Delayed and lost feedback", "feedback", "feedback"),
    Figure(14, "Tokens against JPEG over the same PHY", "main", "main"),
    Figure(15, "Decoding with what the twin expects", "prior", "prior", name="prior"),
    Figure(16, "Tokens against the adaptive system's at equal channel uses", "analogue", "main"),
)

TWIST = System(
    name=NAME,
    title="TWIST",
    source=Source(_open, _invented),
    payload=Payload(NUMBERS[NAME], "twist_default", load_mode_table, _fits, _encode, _decode, _draw, _content,
                    _agreed),
    models=Models(("tokenizer", "completion", "head"), _sender, _receiver, foretelling=("predictor",)),
    loop=Loop(ControlConfig, load_controller, check_modes, _policy, Recorder, _wrong),
    policies=tuple(POLICIES),
    summarize=summarize,
    metrics=METRICS,
    figures=FIGURES,
    study=Study("tokenlink.cli.evaluate_scenes", "tokenlink.report.scene_results", ("pictures", "methods", "texts")),
)
