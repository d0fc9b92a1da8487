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
#: columns of the array of blocks; the addresses come first
_LLR, _OUTPUT, _PRIOR, _CODED_BITS, _ROWS, _ITERATIONS, _PARITY = (
    offset // 8 for offset in (BLOCK.llr, BLOCK.output, BLOCK.prior, BLOCK.coded_bits, BLOCK.rows, BLOCK.iterations,
                               BLOCK.parity)
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
        make = partial(_StagedTable if staged else _Table, self._codes, self._counts)
        self._tables, self._tables_with_prior = Pool(make), Pool(partial(make, with_prior=True))

    def decode(self, arrays, priors, max_iterations):
        """Decode the members' arrays, float32 [B_i, n_i], with priors, float32 [B_i, k] each, or None.

        Returns
        -------
        iterable of (float32 [B_i, k], int32 [B_i], bool [B_i])   a-posteriori LLRs, iterations, parity, one a member

        Raises
        ------
        ValueError   an LLR is NaN
        """
        tables = self._tables if priors is None else self._tables_with_prior
        table = tables.take()
        try:
            arrays = [arrays[i] for i in self.members]
            output = table.point_to(arrays, priors and [priors[i] for i in self.members])
            n_bad = self._kernel.decode(table.address, self._total, self._k, self._longest, max_iterations,
                                        self._early_stop)
            if n_bad:
                raise ValueError(f"{'llr' if any(map(_has_nan, arrays)) else 'prior_llr'} holds NaN")
            results = table.delivered(output), table.iterations.astype(np.int32), table.parity.astype(bool)
        finally:
            tables.give(table)
        return zip(*(results if self._alike else map(self._split, results)), strict=True)

    def _split(self, field):
        return np.split(field, self._ends[:-1])


def _has_nan(array):
    return np.isnan(array).any()


class _Table:
    """The array of blocks of one call; all but addresses and results stays what it is."""

    def __init__(self, codes, counts, with_prior=False):
        self._k, self._total = codes[0].k, sum(counts)
        self._blocks = np.zeros((self._total, BLOCK.size // 8), np.int64)
        for values, column in (([code.n for code in codes], _CODED_BITS), ([code.rows for code in codes], _ROWS)):
            self._blocks[:, column] = np.repeat(values, counts)
        self.address, self._pointers = self._blocks.ctypes.data, self._blocks[:, : _OUTPUT + 1 + with_prior]
        #: by member, where there are as many blocks of each
        self._shape = (len(counts), counts[0]) if len(set(counts)) == 1 else (self._total,)
        self.iterations, self.parity = (self._blocks[:, column].reshape(self._shape)
                                        for column in (_ITERATIONS, _PARITY))
        #: which address each block's first entries are offsets from, and how far: its code's LLRs, the output, its
        #: code's priors
        own, number = np.repeat(np.arange(len(codes)), counts), np.concatenate([np.arange(count) for count in counts])
        sizes = 4 * np.array([code.n for code in codes])
        which = [own, np.full(self._total, len(codes)), len(codes) + 1 + own]
        offsets = [sizes[own] * number, 4 * self._k * np.arange(self._total), 4 * self._k * number]
        self._which, self._offsets = (np.stack(each[: 2 + with_prior], axis=1) for each in (which, offsets))
        self._addresses = np.zeros(self._which.max() + 1, np.int64)

    def point_to(self, arrays, priors):
        """Have the blocks' addresses be those of these arrays and of a new output, float32 [total, k]."""
        output = np.empty((*self._shape, self._k), np.float32)
        self._held = [*map(np.ascontiguousarray, arrays), output, *map(np.ascontiguousarray, priors or ())]
        self._addresses[:] = [each.ctypes.data for each in self._held]
        np.add(self._addresses.take(self._which), self._offsets, out=self._pointers)
        return output

    def delivered(self, output):
        """The output for the caller to keep."""
        self._held = None
        return output


class _StagedTable(_Table):
    """The same for few blocks, as many of each code: copied to and from where they always are, which costs less than to
    find out where the caller has them."""

    def __init__(self, codes, counts, with_prior=False):
        super().__init__(codes, counts, with_prior)
        self._llr = np.zeros((counts[0], sum(code.n for code in codes)), np.float32)
        self._output = np.zeros((*self._shape, self._k), np.float32)
        ends = np.cumsum([code.n for code in codes])
        starts = ends - [code.n for code in codes]
        places = starts[:, None] + self._llr.shape[1] * np.arange(counts[0])
        self._pointers[:, _LLR] = self._llr.ctypes.data + 4 * places.ravel()
        self._prior = np.zeros_like(self._output)
        for column, place in ((_OUTPUT, self._output), (_PRIOR, self._prior))[: 1 + with_prior]:
            self._pointers[:, column] = place.ctypes.data + 4 * self._k * np.arange(self._total)
        self._places = [*np.split(self._llr, ends[:-1], axis=1), *(self._prior if with_prior else ())]

    def point_to(self, arrays, priors):
        """Copy arrays to where the blocks point."""
        for place, array in zip(self._places, [*arrays, *(priors or ())], strict=True):
            place[...] = array
        return self._output

    def delivered(self, output):
        """A copy for the caller to keep."""
        return output.copy()
