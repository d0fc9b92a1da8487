# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that kernels work in, lent to one call at a time."""

import numpy as np

from tokenlink.phy.ldpc_llvm.schedule import ALIGNMENT


def aligned_zeros(size):
    """uint8 [size] zeros that start at a multiple of 64 bytes."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


class Pool:
    """Things that calls take and give back, as many as calls ever ran at once.

    Never kept in `threading.local` instead: GNU Radio's bindings throw away a thread's Python state in a way that lets
    arrays in it crash the process where Python tells tracemalloc of every array that goes (3.13).

    Parameters
    ----------
    make : callable   makes one when all are lent
    """

    def __init__(self, make):
        self._make, self._idle = make, []

    def take(self):
        """One that nobody else has until it is given back."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def give(self, thing):
        """Give back what `take` lent."""
        self._idle.append(thing)


class Workspace:
    """Workspace of a kernel, and scratch for the longest block so far.

    Parameters
    ----------
    size : int   bytes of the workspace

    Attributes
    ----------
    address, scratch_address : int
    """

    def __init__(self, size):
        self._memory, self._scratch, self._scratch_size = aligned_zeros(size), None, -1
        self.address, self.scratch_address = self._memory.ctypes.data, 0

    def with_scratch(self, size):
        """This workspace, with at least so many bytes of scratch."""
        if self._scratch_size < size:
            self._scratch, self._scratch_size = aligned_zeros(size + 2 * ALIGNMENT), size
            self.scratch_address = self._scratch.ctypes.data
        return self
