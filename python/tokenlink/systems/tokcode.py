# SPDX-License-Identifier: GPL-3.0-or-later
"""TokCode: texts as token sequences in packets, encoded so that what gets lost with a packet matters less."""

from __future__ import annotations

import numpy as np

from tokenlink.control import PacketControl, load_packet_control, packet_policy
from tokenlink.data.text_source import demo_texts, open_texts
from tokenlink.link.tokcode import (
    PacketLost,
    decode_packet,
    encode_sequence,
    packet_sizes,
    packet_symbols,
    reassemble,
)
from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.measure.text_records import TextRecorder, summarize_texts
from tokenlink.phy.header import SYSTEMS as NUMBERS
from tokenlink.systems.description import Figure, Loop, Metric, Models, Payload, Source, Study, System
from tokenlink.wire import NO_MODE, LinkReport, TokenEstimate, TokenFrame

NAME = "tokcode"
POLICIES = ("by-snr", "fixed")
NOTHING_CAME = (0j, 0.0, -100.0)


def _demo(scene, n_frames):
    return demo_texts()


def _fits(n_symbols, mode, table):
    return n_symbols in packet_sizes(mode, table)


def _encode(message, mode, table):
    return encode_sequence(message.token_ids, mode, table)


def _decode(symbols, channel_gain, n0, mode, table, link, expected=None):
    if np.ndim(symbols) == 1:
        return _decode_one(symbols, channel_gain, n0, mode, table, link)
    packets, drops = [], {}
    for index, (received, gain, noise) in enumerate(zip(symbols, channel_gain, n0, strict=True)):
        packet, cause = _packet(received, gain, float(noise), index, mode, table)
        packets.append(packet)
        if cause:
            drops[cause] = drops.get(cause, 0) + 1
    got = reassemble(packets)
    came = ~got.lost_packets
    if not got.token_ids.size:
        return _nothing(link), _report(link, came, {"lost": max(drops, key=drops.get)})
    estimate = TokenEstimate(mode_id=mode.mode_id, token_ids=np.where(got.lost, 0, got.token_ids).astype(np.int32),
                             confidence=(~got.lost).astype(np.float32), erased=got.lost, **link)  # fmt: skip
    return estimate, _report(link, came, {})


def _decode_one(symbols, channel_gain, n0, mode, table, link):
    """A packet by itself, its place told by its slot: its tokens, all of them sure."""
    packet, cause = _packet(symbols, channel_gain, n0, link["slot"] % table.n_packets, mode, table)
    if packet is None:
        return _nothing(link), _report(link, np.array([False]), {"lost": cause})
    n_tokens = packet.token_ids.size
    estimate = TokenEstimate(mode_id=mode.mode_id, token_ids=packet.token_ids, confidence=np.ones(n_tokens, np.float32),
                             erased=np.zeros(n_tokens, bool), **link)  # fmt: skip
    return estimate, _report(link, np.array([True]), {})


def _packet(symbols, channel_gain, n0, index, mode, table):
    """(Packet, None), or None and why it is lost."""
    try:
        return decode_packet(symbols, channel_gain, n0, index, mode, table), None
    except PacketLost as error:
        return None, {"crc": "crc_failed", "disagrees": "packet_disagrees"}[error.cause]


def _nothing(link):
    gain, n0, esn0_db = NOTHING_CAME
    return TokenEstimate(link["slot"], link["seq"], NO_MODE, np.zeros(0, np.int32), np.zeros(0, np.float32),
                         np.zeros(0, bool), gain, n0, esn0_db)  # fmt: skip


def _report(link, came, drops):
    return LinkReport(iterations=np.zeros(came.size, np.int32), parity_ok=came, drops=drops, **link)


def _draw(rng, slot, mode, table):
    n_tokens = rng.integers(20, 101)
    return TokenFrame(slot, 0, rng.integers(0, table.vocab_size, n_tokens).astype(np.int32))


def _content(message):
    return message.token_ids


def _agreed(table):
    entries = {name: getattr(table, name) for name in ("vocab_size", "n_packets")}
    for mode in table.modes:
        entries[f"{mode.name}.modulation"], entries[f"{mode.name}.code_rate"] = mode.modulation, str(mode.code_rate)
    return entries


def _codec(root, table, completion=None):
    from tokenlink.models.tokcode.text_codec import load_text_codec

    codec = load_text_codec(root)
    if codec.vocab_size > table.vocab_size:
        raise ValueError(f"the vocabulary has {codec.vocab_size} tokens, mode table {table.source} has room for "
                         f"{table.vocab_size}")  # fmt: skip
    return codec


def _check_control(control, table):
    table.mode(control.mode)


def _policy(name, control, table, artifacts):
    return packet_policy(name, control, table)


def _recorder(folder, table, summarize, root):
    """A recorder that measures what came with the weights of the run."""
    judge = _codec(root, table)

    def channel_uses(n_tokens, mode_id):
        return table.n_packets * packet_symbols(n_tokens, table.mode(mode_id), table)

    return TextRecorder(folder, table, summarize, judge, judge.vocabulary.pieces(), channel_uses)


def _wrong(truth, estimate, state):
    """Tokens that came and are not those sent; what is known as lost is not wrong."""
    if estimate is None:
        return 0
    return int(np.count_nonzero(~estimate.erased & (estimate.token_ids != truth.token_ids)))


METRICS = (
    Metric("similarity", "similarity", "cosine of sentence embeddings of what came and of the text", on_card=True),
    Metric("plain_similarity", "without encoding", "the same packets lost, the text's own tokens sent", on_card=True),
    Metric("second_similarity", "second similarity", "of words, which nothing was trained on"),
    Metric("second_plain_similarity", "· without encoding"),
    Metric("lost_packets", "packets lost", "by the radio, their CRC failed", is_share=True, on_card=True),
    Metric("lost_tokens", "tokens lost", "with them", is_share=True),
    Metric("channel_uses", "channel uses", "mean payload symbols of a text of which something came", on_card=True),
)  # fmt: skip

# 3 is the paper's number.
FIGURES = (
    Figure(3, "What is kept of the meaning over packets lost", "main", "main"),
    Figure(4, "The same where the radio loses packets, over Es/N0", "air", "air"),
)

TOKCODE = System(
    name=NAME,
    title="TokCode",
    source=Source(open_texts, _demo),
    payload=Payload(NUMBERS[NAME], "tokcode_default", load_tokcode_table, _fits, _encode, _decode, _draw, _content,
                    _agreed, "tokcode_", packets=lambda table: table.n_packets),
    models=Models(("tokcode_vocabulary", "tokcode_sentences"), _codec, _codec),
    loop=Loop(PacketControl, load_packet_control, _check_control, _policy, _recorder, _wrong, "text_camera",
              "text_twin", "tokenlink.report.text_page", idle_options=("completion", "urgent_slots")),
    policies=POLICIES,
    summarize=summarize_texts,
    metrics=METRICS,
    figures=FIGURES,
    study=Study("tokenlink.cli.evaluate_texts", "tokenlink.report.text_results", (
        "origin", "tracks", "frames", "real", "split", "test", "policies", "receivers", "priority", "mode_table",
        "controller", "pictures",
    ), has_offline=False),
)  # fmt: skip
