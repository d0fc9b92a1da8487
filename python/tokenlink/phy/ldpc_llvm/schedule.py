# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel does in which order. No LLVM here.

**Schedule.** Layered decoding: extension rows first (they resolve the punctured columns), then the four core rows.
Columns that hold nothing but filler bits are known, and left out.

**Lanes.** A kernel decodes `lanes` blocks of one mother code side by side. A column of the code, lifting_size bits of
each block, is one run of memory: bit z of lane c is element z * lanes + c. A cyclic shift of all blocks by s is an
offset of s * lanes elements.

**Lazy rotation.** A row needs a column rotated by its shift. The column is written back in that rotation, and the next
row reads it at the difference of the two shifts. For that read not to wrap, the head of the column is repeated behind
its end, as far as the next reader goes.

**Separate lanes.** Where every lane of a register has a block of its own, bit z of all of them is one register, and no
column is ever rotated or repeated: a table says which registers each check of a row meets.

**Columns of degree one.** The parity bit of an extension row is in no other row. It stays in that row's rotation; its
extrinsic LLR is its channel LLR, and its a-posteriori LLR is only needed for the parity check.
"""

from dataclasses import dataclass

from tokenlink.phy.nr_tables import SHAPES, base_graph

CORE_ROWS = 4
ALIGNMENT = 64


@dataclass(frozen=True)
class KernelSpec:
    """Everything that the text of a kernel depends on.

    Attributes
    ----------
    base_graph, lifting_size, rows : int   mother code: graph, circulant size, check rows in use
    info_columns : int       systematic columns with an info bit, the first ones
    lanes : int              blocks side by side: a power of two up to 8, or as many as a register has lanes
    precision : str          "float32" or "int8"
    bits_per_symbol : int    Q_m of the bit interleaver
    alpha : float            factor on check messages
    vector_bytes : int       register width to write for
    """

    base_graph: int
    lifting_size: int
    rows: int
    info_columns: int
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
    column, shift : int
    read : int      from where the column lies now, how far its first needed bit is
    extend : int    how many bits of the head the next reader needs behind the end
    """

    column: int
    shift: int
    read: int
    extend: int


@dataclass(frozen=True)
class Row:
    """A check row.

    Attributes
    ----------
    number : int
    edges : tuple of Edge    to core columns
    parity : int or None     column of its own parity bit; None in core rows
    messages : int           edges of all rows before it in the schedule
    """

    number: int
    edges: tuple[Edge, ...]
    parity: int | None
    messages: int


class Schedule:
    """Rows in the order of decoding and the rotations that follow from it.

    Attributes
    ----------
    systematic, core, columns : int   number of systematic, of core (systematic + 4) and of all columns
    buffer_rows : int   parity columns of the circular buffer, all that the base graph has
    rows : list of Row
    resting : list of int   rotation of every column between iterations
    messages : int      edges of all rows
    """

    def __init__(self, spec):
        self.buffer_rows, _, self.systematic = SHAPES[spec.base_graph]
        self.core = self.systematic + CORE_ROWS
        self.columns = self.systematic + spec.rows
        self._z = spec.lifting_size
        self._shifts = base_graph(spec.base_graph, self._z)[: spec.rows, : self.columns].astype(int)
        order = [*range(CORE_ROWS, spec.rows), *range(CORE_ROWS)]
        unknown = [j for j in range(self.columns) if j < spec.info_columns or j >= self.systematic]
        self._uses = {j: [r for r in order if self._shifts[r, j] >= 0] for j in unknown}
        self.resting = [int(self._shifts[self._uses[j][-1], j]) if j in self._uses else 0 for j in range(self.columns)]
        self.rows, self.messages = [], 0
        for number in order:
            edges = tuple(self._edge(number, j) for j in unknown if j < self.core and self._shifts[number, j] >= 0)
            if edges:  # else its parity bit is the sum of known zeros
                parity = self.systematic + number if number >= CORE_ROWS else None
                self.rows.append(Row(number, edges, parity, self.messages))
                self.messages += len(edges)

    def _edge(self, row, column):
        rows = self._uses[column]
        place = rows.index(row)
        shift, before, after = (int(self._shifts[r, column])
                                for r in (row, rows[place - 1], rows[(place + 1) % len(rows)]))
        return Edge(column, shift, (shift - before) % self._z, (after - shift) % self._z)
