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
#: LLRs in a call up to which copying them is cheaper than asking for their addresses
STAGED = 1 << 14
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
        self.members = members
        self._codes, self._counts = [codes[i] for i in members], [counts[i] for i in members]
        self._k, self._total, self._early_stop = self._codes[0].k, sum(self._counts), early_stop
        self._ends = np.cumsum(self._counts).tolist()
        self._alike = len(set(self._counts)) == 1
        longest = max(self._codes, key=lambda code: code.rows)
        lanes = lanes_for(longest, self._total, precision, early_stop)
        self._longest = max(code.n for code in self._codes)
        self._kernel = decoder_kernel(longest, lanes, precision, alpha)
        values = sum(code.n * count for code, count in zip(self._codes, self._counts, strict=True))
        staged = self._alike and values <= STAGED
        self._tables = Pool(partial(_StagedTable if staged else _Table, self._codes, self._counts))

    def decode(self, arrays, max_iterations):
        """Decode the members' arrays, float32 [B_i, n_i].

        Returns
        -------
        iterable of (float32 [B_i, k], int32 [B_i], bool [B_i])   a-posteriori LLRs, iterations, parity, one a member

        Raises
        ------
        ValueError   an LLR is NaN
        """
        table = self._tables.take()
        try:
            output = table.point_to([arrays[i] for i in self.members])
            n_bad = self._kernel.decode(table.address, self._total, self._k, self._longest, max_iterations,
                                        self._early_stop)
            if n_bad:
                raise ValueError("llr holds NaN")
            results = table.delivered(output), table.iterations.astype(np.int32), table.parity.astype(bool)
        finally:
            self._tables.give(table)
        return zip(*(results if self._alike else map(self._split, results)), strict=True)

    def _split(self, field):
        return np.split(field, self._ends[:-1])


class _Table:
    """The array of blocks of one call; all but addresses and results stays what it is."""

    def __init__(self, codes, counts):
        self._k, self._total = codes[0].k, sum(counts)
        self._blocks = np.zeros((self._total, BLOCK.size // 8), np.int64)
        for values, column in (([code.n for code in codes], _CODED_BITS), ([code.rows for code in codes], _ROWS)):
            self._blocks[:, column] = np.repeat(values, counts)
        self.address, self._pointers = self._blocks.ctypes.data, self._blocks[:, : _OUTPUT + 1]
        #: by member, where there are as many blocks of each
        self._shape = (len(counts), counts[0]) if len(set(counts)) == 1 else (self._total,)
        self.iterations, self.parity = (self._blocks[:, column].reshape(self._shape)
                                        for column in (_ITERATIONS, _PARITY))
        #: which address each block's first two entries are offsets from, its code's LLRs and the output, and how far
        own = np.repeat(np.arange(len(codes)), counts)
        self._which = np.stack([own, np.full(self._total, len(codes))], axis=1)
        within = [4 * code.n * np.arange(count) for code, count in zip(codes, counts, strict=True)]
        self._offsets = np.stack([np.concatenate(within), 4 * self._k * np.arange(self._total)], axis=1)
        self._addresses = np.zeros(len(codes) + 1, np.int64)

    def point_to(self, arrays):
        """Have the blocks' addresses be those of these arrays and of a new output, float32 [total, k]."""
        arrays, output = [np.ascontiguousarray(each) for each in arrays], np.empty((*self._shape, self._k), np.float32)
        self._addresses[:] = [each.ctypes.data for each in (*arrays, output)]
        np.add(self._addresses.take(self._which), self._offsets, out=self._pointers)
        self._held = arrays
        return output

    def delivered(self, output):
        """The output for the caller to keep."""
        self._held = None
        return output


class _StagedTable(_Table):
    """The same for few blocks, as many of each code: copied to and from where they always are, which costs less than to
    find out where the caller has them."""

    def __init__(self, codes, counts):
        super().__init__(codes, counts)
        self._llr = np.zeros((counts[0], sum(code.n for code in codes)), np.float32)
        self._output = np.zeros((*self._shape, self._k), np.float32)
        starts = np.cumsum([0, *(code.n for code in codes[:-1])])
        places = starts[:, None] + self._llr.shape[1] * np.arange(counts[0])
        self._pointers[:, _LLR] = self._llr.ctypes.data + 4 * places.ravel()
        self._pointers[:, _OUTPUT] = self._output.ctypes.data + 4 * self._k * np.arange(self._total)

    def point_to(self, arrays):
        """Copy arrays to where the blocks point."""
        np.concatenate(arrays, axis=1, out=self._llr)
        return self._output

    def delivered(self, output):
        """A copy for the caller to keep."""
        return output.copy()
