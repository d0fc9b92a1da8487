# SPDX-License-Identifier: GPL-3.0-or-later
"""Codewords as a receiver gets them, and how often a decoder gets them wrong."""

from __future__ import annotations

import numpy as np

from tokenlink.channel.noise import awgn, n0_from_esn0_db
from tokenlink.phy import ldpc, qam

RATES = {"1/3": 1 / 3, "1/2": 1 / 2, "2/3": 2 / 3, "3/4": 3 / 4, "5/6": 5 / 6}
#: info bits -> rate -> Es/N0 in dB at which float32 loses one block in ten: 16QAM, AWGN, 20 iterations, early stop
WATERFALL_DB = {
    40: dict(zip(RATES, (4.78, 7.79, 10.38, 10.99, 13.33), strict=True)),
    640: dict(zip(RATES, (3.67, 6.48, 9.13, 10.42, 11.86), strict=True)),
    3840: dict(zip(RATES, (3.40, 6.20, 8.84, 10.13, 11.49), strict=True)),
    8448: dict(zip(RATES, (3.48, 6.24, 8.88, 10.13, 11.43), strict=True)),
}
_BITS_AT_ONCE = 1 << 20


def code_of(info_bits, rate):
    """Code of TS 38.212 for 16QAM, coded bits in whole symbols."""
    coded_bits = 4 * -(-round(info_bits / rate) // 4)
    return ldpc.LdpcCode(info_bits, coded_bits, ldpc.choose_base_graph(info_bits, rate), 4)


def received(code, blocks, esn0_db, rng):
    """Random blocks sent with 16QAM over AWGN.

    Parameters
    ----------
    code : LdpcCode
    blocks : int
    esn0_db : float                 infinity: LLRs of +-infinity
    rng : numpy.random.Generator    the same state gives the same bits and the same noise, scaled, at every Es/N0

    Returns
    -------
    uint8 [blocks, k], float32 [blocks, n]   bits and LLRs
    """
    bits = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
    coded = ldpc.encode(code, bits)
    if esn0_db == np.inf:
        return bits, np.where(coded, -np.inf, np.inf).astype(np.float32)
    n0 = n0_from_esn0_db(esn0_db)
    return bits, qam.demap(awgn(qam.map_bits(coded, "16qam"), n0, rng), n0, "16qam")


def block_errors(code, esn0_db, blocks, decoders, seed=1):
    """Blocks that decoders get wrong, all on the same LLRs.

    Parameters
    ----------
    code : LdpcCode
    esn0_db : float
    blocks : int
    decoders : dict of name -> dict   keyword arguments of `ldpc.decode`
    seed : int

    Returns
    -------
    dict of name -> (int, int)   blocks with a wrong information bit, and blocks with an unsatisfied check
    """
    rng = np.random.default_rng(seed)
    wrong, unsatisfied = dict.fromkeys(decoders, 0), dict.fromkeys(decoders, 0)
    for start in range(0, blocks, step := max(1, _BITS_AT_ONCE // code.n)):
        bits, llr = received(code, min(step, blocks - start), esn0_db, rng)
        for name, options in decoders.items():
            result = ldpc.decode(code, llr, **options)
            wrong[name] += int(((result.app_llr < 0) != bits).any(axis=1).sum())
            unsatisfied[name] += int((~result.parity_ok).sum())
    return {name: (wrong[name], unsatisfied[name]) for name in decoders}
