# SPDX-License-Identifier: GPL-3.0-or-later
"""What estimated timing, carrier, gain and noise cost the payload, and whether its confidence still holds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tokenlink.channel.sro import sample_rate_offset
from tokenlink.evidence.burst_detection import MAX_CFO, noise
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.phy import ldpc, qam
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.receiver import BurstReceiver

#: code rate -> Es/N0 in dB near BLER 1e-1 with perfect knowledge: k = 640, 16QAM, 20 iterations
PERFECT_ESN0_DB = {"1/3": 3.66, "1/2": 6.47, "2/3": 9.13, "3/4": 10.4, "5/6": 11.86}
OFFSETS_DB = (-0.4, -0.2, 0.0, 0.2, 0.4)
INFO_BITS, MODULATION, BURST_SYMBOLS = 640, "16qam", 1280
CONFIDENCE_BINS = 10


def through_air(payload, esn0_db, config, rng):
    """A payload over a burst with random delay, carrier offset and phase.

    Parameters
    ----------
    payload : complex64 [n]   mean energy 1
    esn0_db : float
    config : BurstConfig
    rng : numpy.random.Generator

    Returns
    -------
    received : Burst or None      what the receiver made of it; None if it was lost
    """
    quiet = np.zeros(400, np.complex64)
    burst = np.concatenate([quiet, modulate_burst(Header(0, 0, 1, 1, len(payload)), payload, config), quiet])
    burst = sample_rate_offset(burst, 0.0, rng.random())
    turns = rng.uniform(-MAX_CFO, MAX_CFO) * np.arange(len(burst)) + rng.random()
    n0 = 10 ** (-esn0_db / 10) * config.amplitude**2 * config.pulse.sps
    receiver = BurstReceiver(config)
    found = receiver.feed(burst * np.exp(2j * np.pi * turns) + noise(len(burst), n0, rng)) + receiver.flush()
    return found[0] if found else None


def block_errors(rate, esn0_db, blocks, rng, config=None):
    """Block errors of one code with perfect and with estimated knowledge, side by side.

    Parameters
    ----------
    rate : str           such as "1/3"
    esn0_db : float
    blocks : int         at least; whole bursts are sent
    rng : numpy.random.Generator
    config : BurstConfig   default: the one that ships

    Returns
    -------
    blocks, perfect, estimated : int   blocks sent, and wrong ones; those of a lost burst are wrong
    """
    config, ratio = config or BurstConfig(), Fraction(rate)
    code = ldpc.LdpcCode(INFO_BITS, int(INFO_BITS / ratio))
    n_symbols = -(-code.n // qam.BITS_PER_SYMBOL[MODULATION])
    per_burst = BURST_SYMBOLS // n_symbols
    n0 = 10 ** (-esn0_db / 10)
    sent = perfect = estimated = 0
    while sent < blocks:
        bits = rng.integers(0, 2, (per_burst, INFO_BITS), dtype=np.uint8)
        coded = np.zeros((per_burst, n_symbols * 4), np.uint8)
        coded[:, : code.n] = ldpc.encode(code, bits)
        symbols = qam.map_bits(coded, MODULATION)

        def wrong(received, gain, variance, code=code, bits=bits):
            llr = qam.demap(received, variance, MODULATION, gain)[:, : code.n]
            return int(((ldpc.decode(code, llr).app_llr < 0) != bits).any(axis=1).sum())

        perfect += wrong(symbols + noise(symbols.size, n0, rng).reshape(symbols.shape), 1.0, n0)
        burst = through_air(symbols.ravel(), esn0_db, config, rng)
        shaped = None if burst is None else burst.payload.reshape(symbols.shape)
        estimated += per_burst if burst is None else wrong(shaped, burst.channel_gain.reshape(symbols.shape), burst.n0)
        sent += per_burst
    return sent, perfect, estimated


def crossing_db(esn0_db, errors, blocks, target=0.1):
    """Es/N0 at which a block error rate falls through `target`: a line through its log-odds, weighted by counts.

    Raises
    ------
    ValueError   all points are 0 or all are 1
    """
    errors, blocks = np.asarray(errors, float), np.asarray(blocks, float)
    share = (errors + 0.5) / (blocks + 1)
    if errors.sum() == 0 or (errors == blocks).all():
        raise ValueError("errors are 0 or all, so that no crossing can be found")
    odds, weight = np.log(share / (1 - share)), np.sqrt(blocks * share * (1 - share))
    slope, level = np.polyfit(np.asarray(esn0_db, float), odds, 1, w=weight)
    return float((np.log(target / (1 - target)) - level) / slope)


def implementation_loss(blocks, rng, rates=tuple(PERFECT_ESN0_DB), config=None, progress=lambda: None):
    """Loss in dB at BLER 1e-1 of estimated against perfect knowledge for each code rate.

    Parameters
    ----------
    blocks : int         per rate and Es/N0
    rng : numpy.random.Generator
    rates : sequence of str
    config : BurstConfig
    progress : callable   called once per rate and Es/N0

    Returns
    -------
    list of dict   per rate: esn0_db, blocks, errors, both crossings in dB and the loss
    """
    table = []
    for rate in rates:
        levels = [PERFECT_ESN0_DB[rate] + offset for offset in OFFSETS_DB]
        counts = []
        for level in levels:
            counts.append(block_errors(rate, level, blocks, rng, config))
            progress()
        sent, perfect, estimated = (list(column) for column in zip(*counts, strict=True))
        ideal, real = crossing_db(levels, perfect, sent), crossing_db(levels, estimated, sent)
        table.append({
            "rate": rate, "esn0_db": levels, "blocks": sent, "perfect_errors": perfect, "estimated_errors": estimated,
            "perfect_db": ideal, "estimated_db": real, "loss_db": real - ideal,
        })  # fmt: skip
    return table


def reliability(confidence, right, bins=CONFIDENCE_BINS):
    """Reliability diagram and expected calibration error.

    Parameters
    ----------
    confidence : float [n]   in [0, 1]
    right : bool [n]
    bins : int

    Returns
    -------
    dict   ece, and per bin: count, mean confidence, share that is right (0 where empty)
    """
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    said = np.bincount(place, confidence, bins) / np.maximum(count, 1)
    happened = np.bincount(place, right, bins) / np.maximum(count, 1)
    ece = float(np.sum(count * np.abs(said - happened)) / max(count.sum(), 1))
    return {"ece": ece, "count": count.tolist(), "confidence": said.tolist(), "right": happened.tolist()}


def calibration(frames, rng, esn0_db=(2.0, 13.0), table=None, config=None, progress=lambda: None):
    """Token confidence with perfect and with estimated knowledge of the channel.

    Parameters
    ----------
    frames : int                  modes in turn, Es/N0 drawn from the range
    rng : numpy.random.Generator
    esn0_db : (low, high)
    table : ModeTable             default: the one that ships
    config : BurstConfig
    progress : callable           called once a frame

    Returns
    -------
    dict   perfect, estimated: see `reliability`; frames, lost
    """
    table, config = table or load_mode_table(), config or BurstConfig()
    kept, lost = {"perfect": ([], []), "estimated": ([], [])}, 0
    for i in range(frames):
        mode = table.mode(i % len(table.modes))
        token_ids = rng.integers(0, table.vocab_size, table.n_tokens).astype(np.int32)
        level, symbols = rng.uniform(*esn0_db), encode_frame(token_ids, mode, table)
        n0 = 10 ** (-level / 10)
        decisions = {"perfect": decode_frame(symbols + noise(len(symbols), n0, rng), 1.0, n0, mode, table)}
        burst = through_air(symbols, level, config, rng)
        lost += burst is None
        if burst is not None:
            decisions["estimated"] = decode_frame(burst.payload, burst.channel_gain, burst.n0, mode, table)
        for name, decision in decisions.items():
            kept[name][0].append(decision.confidence)
            kept[name][1].append(decision.token_ids == token_ids)
        progress()
    result = {name: reliability(*map(np.concatenate, values)) for name, values in kept.items() if values[0]}
    return result | {"frames": frames, "lost": lost, "esn0_db": list(esn0_db)}
