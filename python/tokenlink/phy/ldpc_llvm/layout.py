# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a kernel keeps its numbers. No LLVM here."""

from functools import cached_property

from tokenlink.phy.ldpc_llvm.schedule import ALIGNMENT, CORE_ROWS, Schedule

#: bytes of the registers that loading and storing turn rows and columns in
TURNING_BYTES = 16


class Layout:
    """Byte offsets in a kernel's workspace.

    Parameters
    ----------
    spec : KernelSpec
    size, total_size : int   bytes of a message or received LLR, and of a total; core columns hold totals

    Attributes
    ----------
    step, width : int   bytes and lanes of a register of messages
    parts : int         registers of totals that belong to one of messages
    separate : bool     every lane of a register has a block of its own
    length : int        elements of a column, lifting_size * lanes; `span` bytes of its messages in whole registers
    """

    def __init__(self, spec, size, total_size):
        self.spec, self.size, self.total_size, self.schedule = spec, size, total_size, Schedule(spec)
        self.step, self.parts = spec.vector_bytes, total_size // size
        self.width = self.step // size
        self.separate = spec.lanes == self.width
        self.length = spec.lifting_size * spec.lanes
        self.vectors = -(-self.length // self.width)
        self.span = self.vectors * self.step
        self.total = 0
        self._take_columns()
        self._take_codewords()
        lanes = spec.lanes
        #: registers with one value per lane, repeated: mask of lanes being loaded, of idle lanes, of failed parity
        #: checks, and the check rows of the lane's own code
        self.fresh, self.idle, self.failed, self.own_rows = (self._take(self.step) for _ in range(4))
        #: int64 per lane: block number, iterations done, 1 while it decodes, 1 when it has just finished
        self.block, self.done, self.busy, self.finished = (self._take(8 * lanes) for _ in range(4))
        #: float32 of one register, and the output of lanes that are not delivered
        self.piece = self._take(4 * self.width)
        self.discard = self._take(4 * (self.schedule.systematic * spec.lifting_size + 2 * self.width))

    def _take_columns(self):
        schedule = self.schedule
        if self.separate:  # one behind the other, and what turning writes behind the last
            more = TURNING_BYTES * self.step
            core, parity = (self._take(count * self.span * parts + more * parts) for count, parts in
                            ((schedule.core, self.parts), (schedule.columns - schedule.core, 1)))
            self._columns = [core + j * self.span * self.parts for j in range(schedule.core)]
            self._columns += [parity + j * self.span for j in range(schedule.columns - schedule.core)]
        else:
            twice = 2 * self.length * self.size + 2 * self.step
            self._columns = [self._take(twice * self.parts if j < schedule.core else self.span)
                             for j in range(schedule.columns)]
            #: one column before it is rotated, twice
            self.turning = self._take(twice)
        self._messages = self._take(schedule.messages * self.span)
        #: a-posteriori LLRs of the parity bits of extension rows
        self._parity = [self._take(self.span) for _ in range(schedule.core, schedule.columns)]

    def _take_codewords(self):
        """Codeword of each lane in plain order."""
        bits = (self.schedule.systematic + self.schedule.buffer_rows) * self.spec.lifting_size
        self.codeword_stride = self._round(bits * self.size + 2 * self.step)
        self.codewords = self._take(self.spec.lanes * self.codeword_stride)

    def _round(self, size):
        return -(-size // ALIGNMENT) * ALIGNMENT

    def _take(self, size):
        start, self.total = self.total, self.total + self._round(size)
        return start

    def bits(self, count, size):
        """Bytes that `count` bits of all lanes take, `size` bytes an element."""
        return count * self.spec.lanes * size

    def column(self, j):
        """Where column j starts: totals of a core column, received LLRs of another."""
        return self._columns[j]

    def message(self, row, edge):
        """Where the messages of a row's edge start; those of the row's edges take turns, a register each."""
        return self._messages + row.messages * self.span + edge * self.step

    def parity(self, row):
        """Where the a-posteriori LLRs of an extension row's parity bits start."""
        return self._parity[row - CORE_ROWS]

    @property
    def message_area(self):
        """Start and length of all check messages."""
        return self._messages, self.schedule.messages * self.span

    @cached_property
    def tail(self):
        """How many elements of the last register of a column are real."""
        return self.length - (self.vectors - 1) * self.width
