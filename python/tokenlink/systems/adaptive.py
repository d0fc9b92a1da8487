# SPDX-License-Identifier: GPL-3.0-or-later
"""Adaptive semantic tokens: pictures as a few tokens with analogue symbols, a controller of drift plus penalty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tokenlink.control import FixedPair, LyapunovPolicy, PictureControl, ProxyError, load_picture_control, load_proxy
from tokenlink.link.adaptive import PictureLost, decode_picture, encode_picture
from tokenlink.link.adaptive import n_symbols as picture_symbols
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.token_ratios import PICTURE_SIDE, POSITIONS, SOURCE_VALUES, n_sent, symbols_per_token
from tokenlink.measure.picture_records import PictureRecorder, summarize_pictures
from tokenlink.models.artifact_files import DEFAULT_DIR
from tokenlink.phy.header import SYSTEMS as NUMBERS
from tokenlink.systems.description import Figure, Loop, Metric, Models, Payload, Source, Study, System
from tokenlink.wire import NO_MODE, LinkReport, SemanticEstimate, SemanticFrame

NAME = "adaptive"
POLICIES = ("lyapunov", "fixed")
LOST_ESN0_DB = -100.0


def _open(source):
    from tokenlink.data.picture_source import open_pictures

    return open_pictures(source, PICTURE_SIDE)


def _demo(scene, n_frames):
    from tokenlink.data.imagenette_download import fetched_imagenette

    return f"imagenette:{fetched_imagenette()}"


def _fits(n_symbols, mode, table):
    return n_symbols in {picture_symbols(mode, n_tokens) for n_tokens in range(2, 2 + POSITIONS)}


def _encode(message, mode, table):
    return encode_picture(message.symbols, message.kept, mode, table)


def _decode(symbols, channel_gain, n0, mode, table, link, expected=None):
    nothing = np.zeros(0, np.complex64)
    try:
        picture = decode_picture(symbols, channel_gain, n0, mode)
    except PictureLost as error:
        lost = SemanticEstimate(link["slot"], link["seq"], NO_MODE, np.zeros(0, bool), nothing, nothing, 0j, 0.0,
                                LOST_ESN0_DB)  # fmt: skip
        return lost, _report(link, {"lost": error.cause})
    estimate = SemanticEstimate(mode_id=mode.mode_id, kept=picture.kept, symbols=picture.symbols,
                                channel_gains=np.array(picture.channel_gain), **link)  # fmt: skip
    return estimate, _report(link, {})


def _report(link, drops):
    return LinkReport(iterations=np.zeros(0, np.int32), parity_ok=np.zeros(0, bool), drops=drops, **link)


def _draw(rng, slot, mode, table):
    kept = np.zeros(POSITIONS, bool)
    kept[rng.choice(POSITIONS, max(1, round(mode.alpha * POSITIONS)), replace=False)] = True
    symbols = rng.standard_normal((n_sent(kept) * mode.symbols_per_token, 2)).view(complex)[:, 0]
    symbols = (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64)
    return SemanticFrame(slot, 0, mode.mode_id, kept, symbols)


def _content(message):
    return message.kept.astype(np.int32)


def _agreed(table):
    entries = {name: ", ".join(map(str, getattr(table, name))) for name in ("alphas", "ratios")}
    for alpha in table.alphas:
        sizes = (table.mode_of(alpha, ratio).header_symbols for ratio in table.ratios)
        entries[f"{alpha}.header_symbols"] = ", ".join(map(str, sizes))
    return entries


def _codec(root, table, completion=None):
    from tokenlink.models.adaptive.picture_codec import load_codec

    return load_codec(root)


def _check_control(control, table):
    table.mode_of(control.alpha, control.ratio)


def _policy(name, control, table, artifacts):
    if name == "fixed":
        return FixedPair(control, table.mode_of(control.alpha, control.ratio).mode_id)
    path = Path(artifacts or DEFAULT_DIR) / NAME / "metrics.json"
    proxy = load_proxy(path, symbols_per_token, SOURCE_VALUES)
    if (proxy.alphas, proxy.ratios) != (table.alphas, table.ratios):
        raise ProxyError(f"proxy table {path} has other pairs of alpha and r than mode table {table.source}")
    return LyapunovPolicy(control, proxy)


def _wrong(truth, estimate, state):
    if estimate is None:
        return 0
    kept = truth.token_ids[-POSITIONS:]  # after the last block
    return int(np.count_nonzero(estimate.kept != (kept != 0)))


METRICS = (
    Metric("accuracy", "accuracy", "of {n_labelled} pictures whose class is known, lost ones wrong", is_share=True,
           on_card=True),
    Metric("bandwidth_ratio", "rho", "mean symbols of the tokens over {source_values} source values", on_card=True),
    Metric("air_ratio", "rho, header too", "the same with the picture's header"),
    Metric("tokens_kept", "tokens kept", "mean of 64", on_card=True),
    Metric("queue", "queue Z", "after the last slot", on_card=True),
)  # fmt: skip

# 2 and 6 to 9 are the paper's numbers.
FIGURES = (
    Figure(2, "Table II: accuracy under the controller", "control", "control", name="table-2"),
    Figure(6, "Accuracy over rho at high SNR", "main", "main"),
    Figure(7, "Accuracy over rho at low SNR", "main", "main"),
    Figure(8, "Accuracy over mean rho under the controller", "control", "control"),
    Figure(9, "Patches that are dropped", "examples", "main"),
    Figure(10, "Header, preamble and pilots counted", "air", "air"),
    Figure(11, "A gain that the receiver estimates", "air", "air"),
)

ADAPTIVE = System(
    name=NAME,
    title="Adaptive semantic tokens",
    source=Source(_open, _demo),
    payload=Payload(NUMBERS[NAME], "adaptive_default", load_adaptive_table, _fits, _encode, _decode, _draw,
                    _content, _agreed, "adaptive_", SemanticFrame, SemanticEstimate, mode_at_sender=True),
    models=Models((NAME,), _codec, _codec),
    loop=Loop(PictureControl, load_picture_control, _check_control, _policy, PictureRecorder, _wrong, "picture_camera",
              "picture_twin", "tokenlink.report.picture_page",
              idle_options=("completion", "urgent_slots")),
    policies=POLICIES,
    summarize=summarize_pictures,
    metrics=METRICS,
    figures=FIGURES,
    study=Study("tokenlink.cli.evaluate_pictures", "tokenlink.report.picture_results", (
        "origin", "tracks", "frames", "real", "split", "test", "policies", "receivers", "priority", "mode_table",
        "controller", "texts",
    ), "tokenlink.cli.prepare_pictures", (
        "tracks", "frames", "invented", "invented_frames", "groups", "grouping", "compare_groupings", "mismatch_weight",
        "target_cost", "prior", "quick", "seed", "stages", "json",
    )),
)  # fmt: skip
