# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoder as one function: parity bits by the base graph's shape, rate matching and bit interleaver.

A bit is a byte. Every core column lies twice in a row in memory, so that a cyclic shift is an offset; a parity block is
the exclusive or of shifted columns, a register at a time.
"""

from dataclasses import dataclass

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import BYTES, I8, I64, Code, constant, vector
from tokenlink.phy.ldpc_llvm.schedule import ALIGNMENT, CORE_ROWS
from tokenlink.phy.nr_tables import SHAPES, base_graph


@dataclass(frozen=True)
class EncoderSpec:
    """Everything the text of an encoder depends on; attributes as in `schedule.KernelSpec`."""

    base_graph: int
    lifting_size: int
    rows: int
    bits_per_symbol: int
    vector_bytes: int


class EncoderLayout:
    """Byte offsets in an encoder's workspace; `span` bytes are a column in whole vectors.

    Attributes
    ----------
    info, parity : int   info bits with fillers, and all parity bits, in plain order
    sums : list of int   what the info bits contribute to the four core rows, in plain order
    turning : int        a column that is to be rotated, twice
    """

    def __init__(self, spec):
        self.step, z = spec.vector_bytes, spec.lifting_size
        self.span = -(-z // self.step) * self.step
        _, _, self.systematic = SHAPES[spec.base_graph]
        self.z, self.core = z, self.systematic + CORE_ROWS
        self.shifts = base_graph(spec.base_graph, z)[: spec.rows, : self.systematic + spec.rows]
        self.total = 0
        self.info = self._take(self.systematic * z)
        self.parity = self._take(spec.rows * z)
        self.sums = [self._take(z) for _ in range(CORE_ROWS)]
        self._columns = [self._take(2 * z) for _ in range(self.core)]
        self.turning = self._take(2 * z)

    def _take(self, size):
        start = self.total
        self.total += -(-(size + 2 * self.step) // ALIGNMENT) * ALIGNMENT
        return start

    def column(self, j):
        """Where core column j starts."""
        return self._columns[j]

    def edges(self, row, columns):
        """Where a row finds the first bit it needs of each of these columns."""
        return [self.column(j) + int(self.shifts[row, j]) for j in columns if self.shifts[row, j] >= 0]


def emit_encoder(spec):
    """LLVM module with the function encode(workspace, sending, info, coded, count, info_bits, coded_bits).

    `sending` is scratch for coded_bits and two vectors, `info` uint8 [count, info_bits], `coded` uint8 [count,
    coded_bits], the rest int64. Returns, as int64, 0 if all info bits are 0 or 1.
    """
    module = ir.Module("ldpc_encoder")
    layout = EncoderLayout(spec)
    arguments = dict.fromkeys(("workspace", "sending", "info", "coded"), BYTES)
    c = Code(module, "encode", arguments | dict.fromkeys(("count", "info_bits", "coded_bits"), I64), I64, public=True)
    seen = c.variable(vector(I8, layout.step))
    c.b.store(constant(vector(I8, layout.step), 0), seen)
    with c.loop(c.count) as block:
        load_info(c, layout, c.address(c.info, c.times(block, c.info_bits)), seen)
        core_parity(c, layout)
        for row in range(CORE_ROWS, spec.rows):
            add_columns(c, layout, layout.edges(row, range(layout.core)), layout.parity + row * layout.z)
        rate_match(c, layout, spec.base_graph)
        interleave(c, layout, spec.bits_per_symbol, c.address(c.coded, c.times(block, c.coded_bits)))
    illegal = c.b.icmp_unsigned(">", c.b.load(seen), constant(vector(I8, layout.step), 1))
    flags = ir.IntType(layout.step)
    some = c.b.icmp_unsigned("!=", c.b.bitcast(illegal, flags), constant(flags, 0))
    c.b.ret(c.b.zext(some, I64))
    return module


def load_info(c, layout, info, seen):
    """Info bits, then filler bits 0, in plain order and as columns; all values are gathered in `seen`."""
    wide, one = vector(I8, layout.step), vector(I8, 1)

    def take(type_, i):
        bits = c.load(type_, info, i)
        c.store(bits, c.workspace, layout.info, i)
        return bits

    whole = c.times(c.b.udiv(c.info_bits, constant(I64, layout.step)), layout.step)
    with c.loop(whole, layout.step) as i:
        c.b.store(c.b.or_(c.b.load(seen), take(wide, i)), seen)
    with c.loop(c.info_bits, 1, whole) as i:
        first = c.b.bitcast(seen, BYTES)
        c.store(c.b.or_(c.load(one, first), take(one, i)), first)
    with c.loop(layout.systematic * layout.z, layout.step, c.info_bits) as i:
        c.store(constant(wide, 0), c.workspace, layout.info, i)
    stride = layout.column(1) - layout.column(0)
    with c.loop(layout.systematic) as j:
        column = c.sum(layout.column(0), c.times(j, stride))
        copy(c, layout, c.sum(layout.info, c.times(j, layout.z)), column)
        copy(c, layout, column, c.sum(column, layout.z))


def core_parity(c, layout):
    """The four core parity columns (TS 38.212 clause 5.3.2).

    The sum of the core rows leaves one circulant of the first of them: the shift that occurs once. Each of the first
    three rows then gives one more.
    """
    kb, z = layout.systematic, layout.z
    for row in range(CORE_ROWS):
        add_columns(c, layout, layout.edges(row, range(kb)), layout.sums[row])
    shifts = [int(s) for s in layout.shifts[:CORE_ROWS, kb] if s >= 0]
    add_columns(c, layout, layout.sums, layout.turning)
    put_parity(c, layout, 0, next(s for s in shifts if shifts.count(s) % 2))
    for row in range(CORE_ROWS - 1):
        known = layout.edges(row, range(kb, kb + row + 1))
        add_columns(c, layout, [layout.sums[row], *known], layout.turning)
        put_parity(c, layout, row + 1, int(layout.shifts[row, kb + row + 1]))
    for row in range(CORE_ROWS):
        copy(c, layout, layout.column(kb + row), layout.parity + row * z)


def put_parity(c, layout, number, shift):
    """Core parity column out of `turning`, which holds it rotated by `shift`."""
    twice(c, layout, layout.turning, layout.turning)
    twice(c, layout, layout.turning + -shift % layout.z, layout.column(layout.systematic + number))


def add_columns(c, layout, places, target):
    """Exclusive or of the columns that start at these places."""
    with c.loop(layout.span, layout.step) as v:
        total = None
        for place in places:
            bits = c.load(vector(I8, layout.step), c.workspace, place, v)
            total = bits if total is None else c.b.xor(total, bits)
        c.store(total, c.workspace, target, v)


def copy(c, layout, source, target):
    """Copy a column; up to a vector behind it is written too."""
    add_columns(c, layout, [source], target)


def twice(c, layout, source, target):
    """Copy a column to the target and once more behind it; the second mends what the first wrote too far."""
    if source != target:
        copy(c, layout, source, target)
    copy(c, layout, target, target + layout.z)


def rate_match(c, layout, graph):
    """Bits in sending order into `sending` (TS 38.212 clause 5.4.2.1, redundancy version 0).

    The circular buffer holds the info bits but for the first 2 lifting_size, and all parity bits. Runs are copied in
    whole vectors; each mends what the one before wrote too far.
    """
    all_rows, z = SHAPES[graph][0], layout.z
    short = c.b.icmp_signed("<", c.info_bits, constant(I64, 2 * z))
    info_sent = c.b.select(short, constant(I64, 0), c.sum(c.info_bits, -2 * z))
    runs = [(layout.info + 2 * z, info_sent), (layout.parity, constant(I64, all_rows * z))]
    with c.loop(c.coded_bits, c.sum(*(length for _, length in runs))) as turn:
        first = turn
        for source, length in runs:
            with c.loop(c.smaller(length, c.b.sub(c.coded_bits, first)), layout.step) as i:
                c.store(c.load(vector(I8, layout.step), c.workspace, source, i), c.sending, first, i)
            first = c.sum(first, length)


def interleave(c, layout, rows, coded):
    """Bit interleaver of TS 38.212 clause 5.4.2.2: bit i of symbol s comes from row i, column s.

    If coded_bits is no multiple of the number of rows, the first rows are one bit longer.
    """
    length, longer = (getattr(c.b, op)(c.coded_bits, constant(I64, rows)) for op in ("udiv", "urem"))
    symbols = max(1, layout.step // (1 << (rows - 1).bit_length()))
    whole = c.times(c.b.udiv(length, constant(I64, symbols)), symbols)
    starts = [c.sum(c.times(length, i), c.smaller(constant(I64, i), longer)) for i in range(rows)]
    with c.loop(whole, symbols) as s:
        parts = [c.load(vector(I8, symbols), c.sending, start, s) for start in starts]
        c.store(c.weave(parts), coded, c.times(s, rows))
    with c.loop(c.coded_bits, 1, c.times(whole, rows)) as i:
        row, column = c.b.urem(i, constant(I64, rows)), c.b.udiv(i, constant(I64, rows))
        place = c.sum(c.times(row, length), c.smaller(row, longer), column)
        c.store(c.load(I8, c.sending, place), coded, i)
