# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow, readable twins of `ldpc.encode` and `ldpc.decode` in plain numpy, for tests."""

import numpy as np

from tokenlink.phy.ldpc import DecodeResult, check_decoder_parameters
from tokenlink.phy.ldpc_llvm.arithmetic import KNOWN_LLR, LLR_LIMIT
from tokenlink.phy.nr_tables import SHAPES


def codewords(code, info_bits):
    """Codewords before rate matching: uint8 [B, k] -> uint8 [B, columns, lifting_size]."""
    z, kb, shifts = code.lifting_size, code.systematic, code.shifts
    word = np.zeros((len(info_bits), kb + code.rows, z), np.uint8)
    word[:, :kb].reshape(len(info_bits), -1)[:, : code.k] = info_bits

    def check_sum(row, columns):
        total = np.zeros((len(word), z), np.uint8)
        for column in columns:
            if (shift := int(shifts[row, column])) >= 0:  # the block rotated by its shift, without np.roll's copies
                total[:, : z - shift] ^= word[:, column, shift:]
                total[:, z - shift :] ^= word[:, column, :shift]
        return total

    sums = [check_sum(row, range(kb)) for row in range(4)]
    # The sum of the four core rows leaves one circulant of the first parity block: the shift that occurs once.
    first = [int(s) for s in shifts[:4, kb] if s >= 0]
    shift = next(s for s in first if first.count(s) % 2)
    word[:, kb] = np.roll(sums[0] ^ sums[1] ^ sums[2] ^ sums[3], shift, axis=1)
    for row in range(3):
        known = sums[row] ^ check_sum(row, range(kb, kb + row + 1))
        word[:, kb + row + 1] = np.roll(known, int(shifts[row, kb + row + 1]), axis=1)
    for row in range(4, code.rows):
        word[:, kb + row] = check_sum(row, range(kb + 4))
    return word


def encode_reference(code, info_bits):
    """Coded bits as `ldpc.encode` gives them: uint8 0/1 [B, k] -> uint8 [B, n]."""
    return codewords(code, info_bits).reshape(len(info_bits), -1)[:, code.positions]


def codeword_llr(code, llr):
    """LLRs of the whole codeword: repeated bits added up, punctured bits 0, filler bits known.

    float32 [B, n] -> float32 [B, columns * lifting_size]; ValueError for a wrong shape or NaN.
    """
    llr = np.asarray(llr, np.float32)
    if llr.ndim != 2 or llr.shape[1] != code.n:
        raise ValueError(f"llr has shape {llr.shape}, must be (blocks, {code.n})")
    if np.isnan(llr).any():
        raise ValueError("llr holds NaN")
    llr = np.clip(llr, -LLR_LIMIT, LLR_LIMIT)
    z = code.lifting_size
    full = np.zeros((len(llr), (code.systematic + code.rows) * z), np.float32)
    buffer = max(code.k - 2 * z, 0) + SHAPES[code.base_graph][0] * z
    sending_order = np.argsort(_before_interleaving(code), kind="stable")
    for start in range(0, code.n, buffer):  # each turn round the circular buffer sends a bit once
        bits = sending_order[start : start + buffer]
        full[:, code.positions[bits]] += llr[:, bits]
    full[:, code.k : code.k + code.filler_bits] = KNOWN_LLR
    return full


def _before_interleaving(code):
    """Number of each received bit before the interleaver: int [n]."""
    rows = code.bits_per_symbol
    received = np.arange(code.n)
    row, column = received % rows, received // rows
    return row * (code.n // rows) + np.minimum(row, code.n % rows) + column


def decode_reference(code, llr, max_iterations=20, alpha=0.8, early_stop=True):
    """A-posteriori LLRs as `ldpc.decode` gives them in float32: same schedule, parameters, result and errors."""
    check_decoder_parameters(max_iterations, alpha)
    full = codeword_llr(code, llr)
    channel = full.copy()
    z = code.lifting_size
    iterations, parity_ok = np.zeros(len(full), np.int32), np.zeros(len(full), bool)
    rows = []
    for row in [*range(4, code.rows), *range(4)]:
        columns = np.flatnonzero(code.shifts[row] >= 0)[:, None]
        rows.append((row, columns * z + (np.arange(z) + code.shifts[row, columns]) % z))
    for b in range(len(full)):
        messages = {row: np.zeros(index.shape, np.float32) for row, index in rows}
        for _ in range(max_iterations):
            for row, index in rows:
                extrinsic = full[b][index] - messages[row]
                if row >= 4:  # the row's own parity bit is in no other row
                    extrinsic[-1] = channel[b][index[-1]]
                magnitude = np.abs(extrinsic)
                smallest, second = np.sort(magnitude, axis=0)[:2]
                others = np.minimum(np.where(magnitude == smallest, second, smallest), np.float32(KNOWN_LLR))
                sign = np.where(extrinsic < 0, np.float32(-1), np.float32(1))
                messages[row] = np.float32(alpha) * others * (sign.prod(axis=0) * sign)
                full[b][index] = extrinsic + messages[row]
            iterations[b] += 1
            values = [full[b][index] for _, index in rows]
            parity_ok[b] = all((v != 0).all() and not ((v < 0).sum(axis=0) % 2).any() for v in values)
            if parity_ok[b] and early_stop:
                break
    return DecodeResult(np.ascontiguousarray(full[:, : code.k]), iterations, parity_ok)
