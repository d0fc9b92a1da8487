# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks go through which kernel together, prepared once for codes and counts that come again and again."""

from functools import lru_cache, partial

import numpy as np

from tokenlink.phy.ldpc_llvm.decoder import BLOCK
from tokenlink.phy.ldpc_llvm.kernels import decoder_kernel, register_lanes
from tokenlink.phy.ldpc_llvm.workspace import Pool

#: precision -> elements of a column (lifting_size * lanes) up to which more lanes make a kernel faster
FULL_COLUMN = {"float32": 160, "int8": 1200}
#: most blocks side by side, unless each lane of a register gets a block of its own
MOST_LANES = 8
#: share of the lanes of a register from which on that is faster, if all blocks take equally long, and most checks of a
#: block at which their messages do not leave the cache too often
SEPARATE_FROM, SEPARATE_CHECKS = 0.75, 10_000
#: columns of the array of blocks; the two addresses come first
_LLR, _OUTPUT, _CODED_BITS, _ROWS, _ITERATIONS, _PARITY = (
    offset // 8
    for offset in (BLOCK.llr, BLOCK.output, BLOCK.coded_bits, BLOCK.rows, BLOCK.iterations, BLOCK.parity)
)


def lanes_for(code, blocks, precision, early_stop):
    """Blocks side by side in the kernel for this many blocks."""
    most, lanes = register_lanes(precision), 1
    if not early_stop and blocks >= SEPARATE_FROM * most and code.lifting_size * code.rows <= SEPARATE_CHECKS:
        return most
    while lanes < min(blocks, MOST_LANES, most // 2) and 2 * lanes * code.lifting_size <= FULL_COLUMN[precision]:
        lanes *= 2
    return lanes


@lru_cache(maxsize=512)
def runs_of(codes, counts, precision, alpha, early_stop=True):
    """Kernel runs that decode `counts[i]` blocks of `codes[i]`.

    Returns
    -------
    list of Run
    """
    groups = {}
    for i, (code, count) in enumerate(zip(codes, counts, strict=True)):
        mother = (code.base_graph, code.lifting_size, code.k, code.bits_per_symbol)
        fills_lanes = count >= lanes_for(code, MOST_LANES, precision, True)
        if count:
            groups.setdefault((mother, code.rows) if fills_lanes else mother, []).append(i)
    return [Run(members, codes, counts, precision, alpha, early_stop) for members in groups.values()]


class Run:
    """One call of a kernel.

    Parameters
    ----------
    members : list of int   which of the codes
    codes, counts : sequences of LdpcCode and int
    precision, alpha, early_stop : as for `ldpc.decode`
    """

    def __init__(self, members, codes, counts, precision, alpha, early_stop):
        codes, counts = [codes[i] for i in members], [counts[i] for i in members]
        self.members, self.k, self.total = members, codes[0].k, sum(counts)
        self.longest = max(code.n for code in codes)
        self.ends = np.cumsum(counts).tolist()
        self.starts = [end - count for end, count in zip(self.ends, counts, strict=True)]
        longest = max(codes, key=lambda code: code.rows)
        self._kernel = decoder_kernel(longest, lanes_for(longest, self.total, precision, early_stop), precision, alpha)
        self._blocks = np.zeros((self.total, BLOCK.size // 8), np.int64)
        for code, start, end in zip(codes, self.starts, self.ends, strict=True):
            self._blocks[start:end, _LLR] = 4 * code.n * np.arange(end - start)
            self._blocks[start:end, _CODED_BITS], self._blocks[start:end, _ROWS] = code.n, code.rows
        self._blocks[:, _OUTPUT] = 4 * self.k * np.arange(self.total)
        #: which address each block's first two entries are offsets from: its code's LLRs, the output
        own = np.repeat(np.arange(len(codes)), counts)
        self._which = np.stack([own, np.full(self.total, len(codes))], axis=1)
        self._offsets = self._blocks[:, : _OUTPUT + 1].copy()
        self._tables = Pool(partial(_Table, self._blocks, len(members)))

    def decode(self, arrays, max_iterations, early_stop):
        """Decode the members' arrays, C-contiguous float32 [B_i, n_i].

        Returns
        -------
        float32 [total, k], int32 [total], bool [total]   a-posteriori LLRs, iterations, parity

        Raises
        ------
        ValueError   an LLR is NaN
        """
        table, output = self._tables.take(), np.empty((self.total, self.k), np.float32)
        try:
            table.addresses[:] = [*[arrays[i].ctypes.data for i in self.members], output.ctypes.data]
            np.add(table.addresses.take(self._which), self._offsets, out=table.pointers)
            n_bad = self._kernel.decode(table.address, self.total, self.k, self.longest, max_iterations, early_stop)
            if n_bad:
                raise ValueError("llr holds NaN")
            return output, table.iterations.astype(np.int32), table.parity.astype(bool)
        finally:
            self._tables.give(table)


class _Table:
    """The array of blocks of one call and views of it; all but pointers and results stays what it is."""

    def __init__(self, blocks, members):
        own = blocks.copy()
        self.address, self.addresses = own.ctypes.data, np.zeros(members + 1, np.int64)
        self.pointers, self.iterations, self.parity = own[:, : _OUTPUT + 1], own[:, _ITERATIONS], own[:, _PARITY]
