# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow, readable twins of `ldpc.encode` and `ldpc.decode` in plain numpy, for tests."""

import numpy as np

from tokenlink.phy.ldpc import DecodeResult, check_decoder_parameters, llrs_of, priors_of
from tokenlink.phy.ldpc_llvm import float32, int8
from tokenlink.phy.nr_tables import SHAPES


class _Float32:
    """LLRs in nat."""

    known, limit = np.float32(float32.KNOWN_LLR), np.float32(float32.LLR_LIMIT)

    def __init__(self, alpha):
        self._alpha = np.float32(alpha)

    def received(self, llr):
        return np.clip(llr, -self.limit, self.limit)

    def again(self, total):
        return total

    def scaled(self, magnitude):
        return self._alpha * np.minimum(magnitude, self.known)

    def delivered(self, total):
        return total


class _Int8:
    """LLRs in whole steps, in integers too wide to overflow: where the kernel works in bytes, nothing may be lost."""

    known = np.int64(int8.KNOWN_TOTAL)

    def __init__(self, alpha):
        self._eighths = int8.eighths_of(alpha)
        self._largest = int8.message_limit(self._eighths)

    def received(self, llr):
        return self.again(np.rint(np.clip(llr * np.float32(int8.STEPS), -127, 127)).astype(np.int64))

    def again(self, total):
        return np.clip(total, 1 - self._largest, self._largest - 1)

    def scaled(self, magnitude):
        return np.minimum(int8.scaled_steps(magnitude, self._eighths), self._largest)

    def delivered(self, total):
        return total.astype(np.float32) * np.float32(1 / int8.STEPS)


_ARITHMETIC = {"float32": _Float32, "int8": _Int8}


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


def codeword_llr(code, llr, prior_llr, math):
    """LLRs of the whole codeword: repeated bits and priors added up, punctured bits 0, filler bits known.

    float32 [B, n] and [B, k] or None -> [B, columns * lifting_size] as the arithmetic `math` holds them; ValueError
    for NaN.
    """
    if np.isnan(llr).any():
        raise ValueError("llr holds NaN")
    llr = math.received(llr)
    z = code.lifting_size
    full = np.zeros((len(llr), (code.systematic + code.rows) * z), llr.dtype)
    buffer = max(code.k - 2 * z, 0) + SHAPES[code.base_graph][0] * z
    sending_order = np.argsort(_before_interleaving(code), kind="stable")
    for start in range(0, code.n, buffer):  # each turn round the circular buffer sends a bit once
        bits = sending_order[start : start + buffer]
        full[:, code.positions[bits]] += llr[:, bits]
        full = math.again(full)
    if prior_llr is not None:
        if np.isnan(prior_llr).any():
            raise ValueError("prior_llr holds NaN")
        full[:, : code.k] = math.again(full[:, : code.k] + math.received(prior_llr))
    full[:, code.k : code.k + code.filler_bits] = math.known
    return full


def _before_interleaving(code):
    """Number of each received bit before the interleaver: int [n]."""
    rows = code.bits_per_symbol
    received = np.arange(code.n)
    row, column = received % rows, received // rows
    return row * (code.n // rows) + np.minimum(row, code.n % rows) + column


def decode_reference(code, llr, max_iterations=20, alpha=0.8, precision="float32", early_stop=True, prior_llr=None):
    """A-posteriori LLRs as `ldpc.decode` gives them: same schedule, parameters, result and errors."""
    check_decoder_parameters(max_iterations, alpha, precision)
    math = _ARITHMETIC[precision](alpha)
    (llr,) = llrs_of([code], [llr])
    (prior_llr,) = priors_of([code], [llr], [prior_llr]) if prior_llr is not None else [None]
    full = codeword_llr(code, llr, prior_llr, math)
    channel = full.copy()
    z = code.lifting_size
    iterations, parity_ok = np.zeros(len(full), np.int32), np.zeros(len(full), bool)
    rows = []
    for row in [*range(4, code.rows), *range(4)]:
        columns = [j for j in np.flatnonzero(code.shifts[row] >= 0) if j * z < code.k or j >= code.systematic]
        if min(columns) < code.systematic + 4:  # else the row has known zeros and its own parity bit alone
            columns = np.array(columns)[:, None]
            rows.append((row, columns * z + (np.arange(z) + code.shifts[row, columns]) % z))
    for b in range(len(full)):
        messages = {row: np.zeros(index.shape, full.dtype) for row, index in rows}
        for _ in range(max_iterations):
            for row, index in rows:
                extrinsic = full[b][index] - messages[row]
                if row >= 4:  # the row's own parity bit is in no other row
                    extrinsic[-1] = channel[b][index[-1]]
                magnitude = np.abs(extrinsic)
                smallest, second = np.sort(magnitude, axis=0)[:2]
                others = np.where(magnitude == smallest, second, smallest)
                sign = np.where(extrinsic < 0, -1, 1).astype(full.dtype)
                messages[row] = math.scaled(others) * (sign.prod(axis=0) * sign)
                full[b][index] = extrinsic + messages[row]
            iterations[b] += 1
            values = [full[b][index] for _, index in rows]
            parity_ok[b] = all((v != 0).all() and not ((v < 0).sum(axis=0) % 2).any() for v in values)
            if parity_ok[b] and early_stop:
                break
    app_llr = math.delivered(np.ascontiguousarray(full[:, : code.k]))
    return DecodeResult(app_llr, iterations, parity_ok, prior_llr, precision, alpha)
