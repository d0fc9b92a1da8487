# SPDX-License-Identifier: GPL-3.0-or-later
"""Road scenes by the adaptive system at a mode's budget: analogue tokens, read by a network of their own.

A frame is a header with the positions that are kept, one codeword with a CRC, and the symbols of their tokens. The pair
(alpha, r) of a budget is the one of the highest F1 on validation frames, mean over their SNRs, among those whose mean
channel uses keep it, header counted. A frame whose header is lost leaves what was said of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from tokenlink.link.blob import CRC_BITS, BlobLink
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import as_input
from tokenlink.models.adaptive.batches import on_the_device
from tokenlink.models.adaptive.djscc import equalise
from tokenlink.study.simulator import Trace

ARTIFACT = "adaptive_scenes"
HEADER_USES = 480
BATCH = 16


@dataclass(frozen=True)
class SceneSymbols:
    """A sequence as analogue tokens for one budget.

    Attributes
    ----------
    alpha, ratio : float
    kept : bool [n_frames, n_positions]
    symbols : tuple of complex64 [n_tokens o]   of each frame, of mean power 1
    """

    alpha: float
    ratio: float
    kept: np.ndarray
    symbols: tuple[np.ndarray, ...]

    @property
    def mean_uses(self) -> float:
        """Mean channel uses of a frame, header counted."""
        return HEADER_USES + float(np.mean([len(each) for each in self.symbols]))


@lru_cache(maxsize=2)
def network(root):
    """The trained network; ArtifactError where there is none."""
    return artifact.load(ARTIFACT, Path(root or artifact.DEFAULT_DIR))


def weights_sha256(root=None) -> str | None:
    """SHA-256 of its weights, as the manifest says; None where it names none."""
    entry = artifact.read_manifest(Path(root or artifact.DEFAULT_DIR)).get(ARTIFACT, {})
    return entry.get("weights.safetensors", {}).get("sha256")


def best_pair(metrics: dict, budget: int, fading: bool, n_symbols) -> tuple[float, float]:
    """Pair (alpha, r) for so many channel uses a frame, see the module.

    Parameters
    ----------
    metrics : dict     of the artifact: "air" and "fading" with f1_avg by alpha, r and SNR, and mean n_tokens by alpha
    budget : int
    fading : bool
    n_symbols : (r) -> int   symbols of a token

    Raises
    ------
    ValueError   no pair needs so little
    """
    table = metrics["fading" if fading else "air"]
    found = [(float(np.mean(f1)), alpha, ratio)
             for alpha, n_tokens, row in zip(table["alpha"], table["n_tokens"], table["f1_avg"], strict=True)
             for ratio, f1 in zip(table["r"], row, strict=True)
             if HEADER_USES + n_tokens * n_symbols(ratio) <= budget]  # fmt: skip
    if not found:
        raise ValueError(f"budget is {budget}: no pair of alpha and r needs so little with a header of {HEADER_USES}")
    return max(found)[1:]


def code_scenes(sequence, budget: int, fading: bool, root=None) -> SceneSymbols:
    """Every frame of a sequence for a budget; the sequence has its frames."""
    model = network(root)
    alpha, ratio = best_pair(artifact.read_metrics(ARTIFACT, Path(root or artifact.DEFAULT_DIR)), budget, fading,
                             model.n_symbols)  # fmt: skip
    frames, kept, symbols = sequence.images(), [], []
    with torch.inference_mode():
        for first in range(0, len(frames), BATCH):
            some = torch.from_numpy(np.array(frames[first : first + BATCH])).permute(0, 3, 1, 2)
            sent = on_the_device(model, as_input(some), alpha)
            layout = sent.encode(ratio).numpy()
            for each, positions in zip(layout, sent.kept.numpy(), strict=True):
                kept.append(positions)
                symbols.append(each[_places(positions)].reshape(-1))
    return SceneSymbols(alpha, ratio, np.stack(kept), tuple(symbols))


def _places(kept):
    return np.concatenate([[True], kept])


@lru_cache(maxsize=2)
def header_link(n_positions: int) -> BlobLink:
    """The codeword of a frame's header: one bit a position."""
    return BlobLink(HEADER_USES, Fraction(n_positions + CRC_BITS, 2 * HEADER_USES), "qpsk")


def trace_of(coded: SceneSymbols, channel, mode_id: int, root=None) -> Trace:
    """The run of a receiver of analogue tokens; a frame whose header is lost counts as erased as a whole.

    Parameters
    ----------
    coded : SceneSymbols
    channel : Channel
    mode_id : int     whose budget the frames keep
    root : Path or None   folder of the artifacts
    """
    model, link, n = network(root), header_link(coded.kept.shape[1]), len(coded.symbols)
    layout = np.zeros((n, 1 + coded.kept.shape[1], model.n_symbols(coded.ratio)), np.complex64)
    came = np.zeros(n, bool)
    for slot, (kept, symbols) in enumerate(zip(coded.kept, coded.symbols, strict=True)):
        payload = np.concatenate([link.encode(np.packbits(kept).tobytes()), symbols])
        received, state = channel.transmit(payload, slot)
        gain, n0 = np.array([state.channel_gain], np.complex64), np.array([state.n0], np.float32)
        (header,) = link.decode(received[None, :HEADER_USES], gain, n0)
        if header is not None:
            there = _places(np.unpackbits(np.frombuffer(header, np.uint8)).astype(bool))
            estimate = equalise(*(torch.tensor(each) for each in (received[HEADER_USES:], gain, n0)))
            if there.sum() * layout.shape[2] == len(estimate):  # what a wrong header with a right CRC says is lost too
                layout[slot, there], came[slot] = estimate.numpy().reshape(-1, layout.shape[2]), True
    said, last = _said(model, layout, coded, came), np.maximum.accumulate(np.where(came, np.arange(n), -1))
    trace = Trace.empty(n)
    trace.mode_ids[:], trace.n_erased[:] = mode_id, np.where(came, 0, coded.kept.shape[1])
    trace.predicted[:] = np.where(last[:, None] >= 0, said[last], 0)
    return trace


def _said(model, layout, coded, came):
    """Traffic states int64 [n_frames, 3] of the frames that came, 0 elsewhere."""
    said = np.zeros((len(layout), 3), np.int64)
    with torch.inference_mode():
        for some in np.array_split(np.flatnonzero(came), max(1, -(-int(came.sum()) // BATCH))):
            if len(some):
                kept = torch.from_numpy(coded.kept[some])
                logits = model.decode_masked(torch.from_numpy(layout[some]), kept, coded.ratio).numpy()
                said[some] = np.column_stack([logits[:, :2] > 0, logits[:, 2:].argmax(1)])
    return said


def row_of(row: dict, coded: SceneSymbols) -> dict:
    """The row of such a run: no tokens that could be wrong, and what a frame took on average."""
    return row | {"tsmr": None, "auer": None, "n_auer_frames": 0, "urgent": row["urgent"] | {"tsmr": None},
                  "mean_uses": coded.mean_uses, "alpha": coded.alpha, "ratio": coded.ratio}  # fmt: skip
