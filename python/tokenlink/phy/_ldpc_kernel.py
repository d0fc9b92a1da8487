# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled inner loops of the LDPC decoder; `ldpc_reference` says the same in plain numpy."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def _syndrome_ok(llr, z, row_start, edge_column, edge_shift, parity):
    for row in range(row_start.size - 1):
        parity[:] = 0
        for edge in range(row_start[row], row_start[row + 1]):
            base, shift = edge_column[edge] * z, edge_shift[edge]
            for part in range(2):
                # a rotation is two straight runs: [shift, z) and [0, shift)
                source = base + (shift if part == 0 else 0)
                target = 0 if part == 0 else z - shift
                count = z - shift if part == 0 else shift
                for i in range(count):
                    value = llr[source + i]
                    parity[target + i] ^= np.uint8(value < 0) | (np.uint8(value == 0) << np.uint8(1))
                    if value == 0:
                        return False
        for i in range(z):
            if parity[i]:
                return False
    return True


@numba.njit(cache=True, nogil=True)
def _layer(llr, z, columns, shifts, messages, extrinsic, smallest, second, sign, alpha, limit):
    degree = columns.size
    smallest[:] = np.inf
    second[:] = np.inf
    sign[:] = 1.0
    for edge in range(degree):
        base, shift = columns[edge] * z, shifts[edge]
        for part in range(2):
            source = base + (shift if part == 0 else 0)
            target = 0 if part == 0 else z - shift
            count = z - shift if part == 0 else shift
            for i in range(count):
                j = target + i
                value = llr[source + i] - messages[edge, j]
                extrinsic[edge, j] = value
                magnitude = abs(value)
                second[j] = min(second[j], max(smallest[j], magnitude))
                smallest[j] = min(smallest[j], magnitude)
                sign[j] = -sign[j] if value < 0 else sign[j]
    for i in range(z):
        smallest[i] = min(smallest[i], limit)
        second[i] = min(second[i], limit)
    for edge in range(degree):
        base, shift = columns[edge] * z, shifts[edge]
        for part in range(2):
            source = base + (shift if part == 0 else 0)
            target = 0 if part == 0 else z - shift
            count = z - shift if part == 0 else shift
            for i in range(count):
                j = target + i
                value = extrinsic[edge, j]
                magnitude = second[j] if abs(value) == smallest[j] else smallest[j]
                message = alpha * magnitude * (-sign[j] if value < 0 else sign[j])
                messages[edge, j] = message
                llr[source + i] = value + message


@numba.njit(cache=True, nogil=True)
def decode_blocks(llr, z, row_start, edge_column, edge_shift, max_iterations, alpha, limit):
    """Decode each row of llr in place; int32 [B] iterations and bool [B] parity."""
    blocks = llr.shape[0]
    iterations = np.zeros(blocks, np.int32)
    parity_ok = np.zeros(blocks, np.bool_)
    rows = row_start.size - 1
    degree = 0
    for row in range(rows):
        degree = max(degree, row_start[row + 1] - row_start[row])
    messages = np.zeros((edge_column.size, z), np.float32)
    extrinsic = np.empty((degree, z), np.float32)
    smallest = np.empty(z, np.float32)
    second = np.empty(z, np.float32)
    sign = np.empty(z, np.float32)
    parity = np.empty(z, np.uint8)
    for block in range(blocks):
        messages[:] = 0
        for iteration in range(max_iterations):
            for row in range(rows):
                first, last = row_start[row], row_start[row + 1]
                _layer(
                    llr[block], z, edge_column[first:last], edge_shift[first:last], messages[first:last],
                    extrinsic, smallest, second, sign, alpha, limit,
                )  # fmt: skip
            iterations[block] = iteration + 1
            if _syndrome_ok(llr[block], z, row_start, edge_column, edge_shift, parity):
                parity_ok[block] = True
                break
    return iterations, parity_ok
