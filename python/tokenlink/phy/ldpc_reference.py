# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow, readable twin of `ldpc.decode` in plain numpy, for tests."""

import numpy as np

from tokenlink.phy.ldpc import KNOWN_LLR, DecodeResult, check_decoder_parameters, codeword_llr


def decode_reference(code, llr, max_iterations=20, alpha=0.8):
    """A-posteriori LLRs as `ldpc.decode` gives them: same schedule, parameters, result and errors."""
    check_decoder_parameters(max_iterations, alpha)
    full = codeword_llr(code, llr)
    blocks, z = len(full), code.lifting_size
    iterations = np.zeros(blocks, np.int32)
    parity_ok = np.zeros(blocks, bool)
    rows = []
    for first, last in zip(code.row_start[:-1], code.row_start[1:], strict=True):
        start, shift = code.edge_column[first:last, None] * z, code.edge_shift[first:last, None]
        rows.append(start + (np.arange(z) + shift) % z)
    for b in range(blocks):
        messages = [np.zeros(index.shape, np.float32) for index in rows]
        for _ in range(max_iterations):
            for r, index in enumerate(rows):
                extrinsic = full[b][index] - messages[r]
                magnitude = np.abs(extrinsic)
                smallest, second = np.minimum(np.sort(magnitude, axis=0)[:2], np.float32(KNOWN_LLR))
                others = np.where(magnitude == smallest, second, smallest)
                sign = np.where(extrinsic < 0, np.float32(-1), np.float32(1))
                messages[r] = np.float32(alpha) * others * (sign.prod(axis=0) * sign)
                full[b][index] = extrinsic + messages[r]
            iterations[b] += 1
            values = [full[b][index] for index in rows]
            if all((v != 0).all() and not ((v < 0).sum(axis=0) % 2).any() for v in values):
                parity_ok[b] = True
                break
    return DecodeResult(np.ascontiguousarray(full[:, : code.k]), iterations, parity_ok)
