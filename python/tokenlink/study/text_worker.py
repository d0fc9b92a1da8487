# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker of an evaluation of texts does: one way to send them, all its runs, in one thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.channel.packet_loss import FixedLoss, PacketLosses
from tokenlink.data.prompts import read_prompts
from tokenlink.link.packets import check_packets, lost_positions
from tokenlink.link.tokcode import PacketLost, decode_packet, encode_sequence
from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.models import artifact
from tokenlink.models.tokcode.recovery import infilled, repaired
from tokenlink.models.tokcode.repetition import repeated, upper_bound
from tokenlink.models.tokcode.sentence_encoder import similarities
from tokenlink.models.tokcode.text_codec import FOUNDATION, SENTENCES, TextCodec, load_text_codec, load_with
from tokenlink.models.tokcode.text_scores import chrf
from tokenlink.study.text_plan import NONE, OURS, TextSetting, TextTask, texts_sha256
from tokenlink.study.worker import WorkerError

DIGITS = 5  # of scores that are kept
SHOWN = 4  # texts that are kept beside their scores


@dataclass(frozen=True)
class TextPlace:
    """Where texts and weights are, on the workers too: ``texts``, a file; ``limit``, texts at most, from the first, or
    None; ``root``, folder of the artifacts."""

    texts: str
    limit: int | None
    root: str


@lru_cache(maxsize=2)
def codec_of(root: str) -> TextCodec:
    """The codec of a folder of artifacts."""
    return load_text_codec(Path(root))


@lru_cache(maxsize=2)
def texts_of(place: TextPlace) -> tuple[tuple[str, ...], tuple[np.ndarray, ...], int]:
    """Texts that can be sent, their tokens, and how many lines could not be."""
    codec, n_packets = codec_of(place.root), load_tokcode_table().n_packets

    def check(text):
        check_packets(codec.tokens_of(text).size, n_packets)

    found = read_prompts(Path(place.texts), check)
    texts = found.texts[: place.limit]
    return texts, tuple(codec.tokens_of(text) for text in texts), len(found.refused)


def prepare(place: TextPlace, setting: TextSetting) -> None:
    """Read the texts, here; WorkerError where they, the vocabulary or the judge are others than the evaluation's."""
    torch.set_num_threads(1)
    texts, _, _ = texts_of(place)
    judge = artifact.read_manifest(Path(place.root))[SENTENCES]["weights.safetensors"]["sha256"]
    here = texts_sha256(texts), codec_of(place.root).vocab_hash, judge
    if here != (setting.sha256, setting.vocabulary, setting.sentences):
        raise WorkerError(f"texts of {Path(place.texts).name}, vocabulary or judge are others on this worker")


@torch.inference_mode()
def compute(task: TextTask, setting: TextSetting, place: TextPlace) -> list:
    """Results of all runs of a task: list of (config, row, None), plain values.

    Every row has n_frames, texts; similarity and chrf, means; lost_packets, mean share; similarities and chrfs, by
    text; shown, what came of the first SHOWN; rows of the air also channel_uses, mean.

    Raises
    ------
    WorkerError   other weights are on this machine
    """
    manifest = artifact.read_manifest(Path(place.root))
    for name, sha256 in task.weights.items():
        if manifest[name]["weights.safetensors"]["sha256"] != sha256:
            raise WorkerError(f"{name} on this worker is not the one that the evaluation is about")
    codec, (texts, sequences, _) = codec_of(place.root), texts_of(place)
    results = []
    for run in task.runs:
        config = task.config(run, setting)
        lose = _taken_away(run, config["seed"]) if task.study == "main" else _on_air(run, config["seed"])
        came, lost, uses = zip(*(_one(task.method, codec, place, number, tokens, lose)
                                 for number, tokens in enumerate(sequences)), strict=True)  # fmt: skip
        row = _row(codec, texts, sequences, came) | {"lost_packets": float(np.mean(lost))}
        results.append((config, row | ({} if uses[0] is None else {"channel_uses": float(np.mean(uses))}), None))
    return results


def _row(codec, texts, sequences, came):
    alike = similarities(codec.sentences, sequences, came)
    letters = [chrf(text, codec.text_of(tokens)) for text, tokens in zip(texts, came, strict=True)]
    return {"n_frames": len(texts), "similarity": float(np.mean(alike)), "chrf": float(np.mean(letters)),
            "similarities": np.round(alike, DIGITS).tolist(), "chrfs": np.round(letters, DIGITS).tolist(),
            "shown": [[text, codec.text_of(tokens)] for text, tokens in zip(texts[:SHOWN], came, strict=False)]}


def _one(method, codec, place, number, tokens, lose):
    """What the receiver has of a text in the end, share of its packets lost, and channel uses."""
    sent = tokens
    if method == "repetition":
        sent = repeated(codec.sentences, tokens)
    elif method == OURS:
        sent = codec.encode(tokens)
    packets, uses = lose(number, sent)
    lost = lost_positions(packets, tokens.size)
    return _received(method, codec, place, tokens, sent, lost), packets.mean(), uses


def _received(method, codec, place, tokens, sent, lost):
    if method in (NONE, "repetition", OURS):
        return sent[~lost]
    if method == "bound":
        return upper_bound(codec.sentences, tokens, lost)
    model = _foundation(place.root)
    return (infilled if method == "infilling" else repaired)(model, tokens, lost)


@lru_cache(maxsize=2)
def _foundation(root):
    return load_with(codec_of(root).vocabulary, FOUNDATION, Path(root))


def _taken_away(run, seed):
    """(number of the text, tokens) -> (bool [P], None): so many packets, whatever is in them."""
    losses = PacketLosses(FixedLoss(run["lost"]), load_tokcode_table().n_packets, seed)
    return lambda number, sent: (losses.lost(number), None)


def _on_air(run, seed):
    """The same with packets as codewords through a channel: (bool [P], channel uses)."""
    table = load_tokcode_table()
    mode, channel = table.mode(run["mode_id"]), Channel(ChannelConfig(run["channel"], run["esn0_db"]), seed)

    def lose(number, sent):
        symbols = encode_sequence(sent, mode, table)
        lost = np.zeros(table.n_packets, bool)
        for q, packet in enumerate(symbols):
            received, state = channel.transmit(packet, number * table.n_packets + q)
            try:
                decode_packet(received, state.channel_gain, state.n0, q, mode, table)
            except PacketLost:
                lost[q] = True
        return lost, symbols.size

    return lose
