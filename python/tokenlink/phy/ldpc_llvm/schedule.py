# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel does in which order, and where it keeps its numbers. No LLVM here.

**Schedule.** Layered decoding: extension rows first (they resolve the punctured columns), then the four core rows.

**Lanes.** A kernel decodes `lanes` blocks of one mother code side by side. A column of the code, lifting_size bits of
each block, is one run of memory: bit z of lane c is element z * lanes + c. A cyclic shift of all blocks by s is an
offset of s * lanes elements.

**Lazy rotation.** A row needs a column rotated by its shift. The column is written back in that rotation, and the next
row reads it at the difference of the two shifts. For that read not to wrap, the head of the column is repeated behind
its end, as far as the next reader goes.

**Columns of degree one.** The parity bit of an extension row is in no other row. It stays in that row's rotation; its
extrinsic LLR is its channel LLR, and its a-posteriori LLR is only needed for the parity check.
"""

from dataclasses import dataclass
from functools import cached_property

from tokenlink.phy.nr_tables import SHAPES, base_graph

CORE_ROWS = 4
ALIGNMENT = 64


@dataclass(frozen=True)
class KernelSpec:
    """Everything that the text of a kernel depends on.

    Attributes
    ----------
    base_graph, lifting_size, rows : int   mother code: graph, circulant size, check rows in use
    lanes : int              blocks side by side, a power of two, at most vector_bytes / element size
    precision : str          "float32" or "int8"
    bits_per_symbol : int    Q_m of the bit interleaver
    alpha : float            factor on check messages
    vector_bytes : int       register width to write for
    """

    base_graph: int
    lifting_size: int
    rows: int
    lanes: int
    precision: str
    bits_per_symbol: int
    alpha: float
    vector_bytes: int


@dataclass(frozen=True)
class Edge:
    """A circulant as its row meets it; shifts and lengths in bits of one block.

    Attributes
    ----------
    column : int
    read : int      from where the column lies now, how far its first needed bit is
    extend : int    how many bits of the head the next reader needs behind the end
    message : int   number of its check message
    """

    column: int
    read: int
    extend: int
    message: int


@dataclass(frozen=True)
class Row:
    """A check row: its edges to core columns, and the number of its own parity bit's column (None in core rows)."""

    number: int
    edges: tuple[Edge, ...]
    parity: int | None


class Schedule:
    """Rows in the order of decoding and the rotations that follow from it.

    Attributes
    ----------
    systematic, core, columns : int   number of systematic, of core (systematic + 4) and of all columns
    buffer_rows : int   parity columns of the circular buffer, all that the base graph has
    rows : list of Row
    resting : list of int   rotation of every column between iterations
    """

    def __init__(self, spec):
        all_rows, _, self.systematic = SHAPES[spec.base_graph]
        self.buffer_rows = all_rows
        self.core = self.systematic + CORE_ROWS
        self.columns = self.systematic + spec.rows
        z = spec.lifting_size
        shifts = base_graph(spec.base_graph, z)[: spec.rows, : self.columns]
        order = [*range(CORE_ROWS, spec.rows), *range(CORE_ROWS)]
        uses = {j: [r for r in order if shifts[r, j] >= 0] for j in range(self.columns)}
        self.resting = [int(shifts[uses[j][-1], j]) for j in range(self.columns)]
        self.shifts = shifts
        self.rows, count = [], 0
        for r in order:
            edges = []
            for j in (j for j in range(self.core) if shifts[r, j] >= 0):
                place = uses[j].index(r)
                before, after = uses[j][place - 1], uses[j][(place + 1) % len(uses[j])]
                read, extend = (shifts[r, j] - shifts[before, j]) % z, (shifts[after, j] - shifts[r, j]) % z
                edges.append(Edge(j, int(read), int(extend), count))
                count += 1
            self.rows.append(Row(r, tuple(edges), self.systematic + r if r >= CORE_ROWS else None))
        self.messages = count


class Layout:
    """Byte offsets in a kernel's workspace.

    Parameters
    ----------
    spec : KernelSpec
    size, total_size : int   bytes of a message or received LLR, and of a total; core columns hold totals

    Attributes
    ----------
    width : int     vector lanes; `step` bytes of a vector
    length : int    elements of a column, lifting_size * lanes; `span` its bytes in whole vectors
    """

    def __init__(self, spec, size, total_size):
        self.spec, self.size, self.schedule = spec, size, Schedule(spec)
        self.step = spec.vector_bytes
        self.width = self.step // size
        self.length = spec.lifting_size * spec.lanes
        self.vectors = -(-self.length // self.width)
        self.span = self.vectors * self.step
        self._end = 0
        schedule, lanes = self.schedule, spec.lanes
        long = 2 * self.length * size + 2 * self.step
        self._columns = [self._take(long * total_size // size if j < schedule.core else self.span)
                         for j in range(schedule.columns)]
        self._messages = [self._take(self.span) for _ in range(schedule.messages)]
        #: a-posteriori LLRs of the parity bits of extension rows
        self._parity = [self._take(self.span) for _ in range(schedule.core, schedule.columns)]
        #: one column before it is rotated, twice
        self.turning = self._take(long)
        #: codeword of each lane in plain order
        self.codeword_stride = self._round((schedule.systematic + schedule.buffer_rows) * spec.lifting_size * size
                                           + 2 * self.step)
        self.codewords = self._take(lanes * self.codeword_stride)
        #: vectors with one value per lane, repeated: mask of lanes being loaded, of idle lanes, of failed parity
        #: checks, and the check rows of the lane's own code
        self.fresh, self.idle, self.failed, self.own_rows = (self._take(self.step) for _ in range(4))
        #: int64 per lane: block number, iterations done, 1 while it decodes, 1 when it has just finished
        self.block, self.done, self.busy, self.finished = (self._take(8 * lanes) for _ in range(4))
        #: float32 of one vector, and the output of lanes that are not delivered
        self.piece = self._take(4 * self.width)
        self.discard = self._take(4 * (schedule.systematic * spec.lifting_size + 2 * self.width))
        self.total = self._end

    def _round(self, size):
        return -(-size // ALIGNMENT) * ALIGNMENT

    def _take(self, size):
        start, self._end = self._end, self._end + self._round(size)
        return start

    def bits(self, count, size):
        """Bytes that `count` bits of all lanes take, `size` bytes an element."""
        return count * self.spec.lanes * size

    def column(self, j):
        """Where column j starts."""
        return self._columns[j]

    def message(self, number):
        """Where the check message of an edge starts."""
        return self._messages[number]

    def parity(self, row):
        """Where the a-posteriori LLRs of an extension row's parity bits start."""
        return self._parity[row - CORE_ROWS]

    @property
    def message_area(self):
        """Start and length of all check messages."""
        return self._messages[0], self.schedule.messages * self._round(self.span)

    @cached_property
    def tail(self):
        """Which elements of the last vector of a column are real: list of bool [width]."""
        return [(self.vectors - 1) * self.width + i < self.length for i in range(self.width)]
