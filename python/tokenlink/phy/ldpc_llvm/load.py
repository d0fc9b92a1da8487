# SPDX-License-Identifier: GPL-3.0-or-later
"""Received LLRs into the decoder's columns: de-interleaving, rate de-matching, and the blocks side by side."""

from contextlib import contextmanager

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import BIT, BYTES, F32, I64, Code, constant, vector
from tokenlink.phy.ldpc_llvm.layers import load_total, store_total


def emit_receive(module, layout, arithmetic):
    """Function receive(llr, received, codeword, coded_bits, info_bits) -> i1: one block into a plain codeword.

    `llr` float32 [coded_bits]; `received` scratch for as many elements; `codeword` elements, punctured bits 0, filler
    bits known, repeated bits added up. True if an LLR is NaN.
    """
    arguments = {"llr": BYTES, "received": BYTES, "codeword": BYTES, "coded_bits": I64, "info_bits": I64}
    c = Code(module, "receive", arguments, result=BIT)
    math = arithmetic(c)
    has_nan = deinterleave(c, math, layout.spec.bits_per_symbol, layout.step // 4)
    rate_dematch(c, math, layout)
    c.b.ret(has_nan)
    return c.function


def deinterleave(c, math, rows, symbols):
    """Undo the bit interleaver of TS 38.212 clause 5.4.2.2: bit i of symbol s comes from row i, column s.

    Whole groups of `symbols` symbols go through vectors, the rest bit by bit. If coded_bits is no multiple of the
    number of rows, the first rows are one bit longer. Returns i1: an LLR was NaN.
    """
    b = c.b
    length, longer = (getattr(b, op)(c.coded_bits, constant(I64, rows)) for op in ("udiv", "urem"))
    row_starts = [c.sum(c.times(length, i), c.smaller(constant(I64, i), longer)) for i in range(rows)]
    nan = c.variable(BIT)
    b.store(constant(BIT, 0), nan)

    def note_nan(condition):
        b.store(b.or_(b.load(nan), condition), nan)

    whole = c.times(b.udiv(length, constant(I64, symbols)), symbols)
    with c.loop(whole, symbols) as s:
        llr = c.load(vector(F32, rows * symbols), c.llr, c.times(s, 4 * rows))
        bad = b.fcmp_unordered("uno", llr, llr)
        flags = ir.IntType(rows * symbols)
        note_nan(b.icmp_unsigned("!=", b.bitcast(bad, flags), constant(flags, 0)))
        for i, start in enumerate(row_starts):
            values = math.received(c.shuffle(llr, None, range(i, rows * symbols, rows)))
            c.store(values, c.received, c.times(c.sum(start, s), math.size))
    with c.loop(c.coded_bits, 1, c.times(whole, rows)) as i:
        llr = c.load(F32, c.llr, c.times(i, 4))
        note_nan(b.fcmp_unordered("uno", llr, llr))
        row, column = b.urem(i, constant(I64, rows)), b.udiv(i, constant(I64, rows))
        place = c.sum(c.times(row, length), c.smaller(row, longer), column)
        c.store(math.received(llr), c.received, c.times(place, math.size))
    return b.load(nan)


def rate_dematch(c, math, layout):
    """Bits in sending order back to the codeword (TS 38.212 clause 5.4.2.1, redundancy version 0).

    The circular buffer holds the info bits but for the first 2 lifting_size, and all parity bits.
    """
    z, schedule = layout.spec.lifting_size, layout.schedule
    none, known = constant(math.vector, 0), constant(math.vector, math.known)
    with c.loop(schedule.columns * z * math.size, layout.step) as at:
        c.store(none, c.codeword, at)
    short = c.b.icmp_signed("<", c.info_bits, constant(I64, 2 * z))
    info_sent = c.b.select(short, constant(I64, 0), c.sum(c.info_bits, -2 * z))
    runs = [(2 * z, info_sent), (schedule.systematic * z, constant(I64, schedule.buffer_rows * z))]
    with c.loop(c.coded_bits, c.sum(*(length for _, length in runs))) as turn:
        first = turn
        for start, length in runs:
            count = c.smaller(length, c.b.sub(c.coded_bits, first))
            add_run(c, math, start, first, count)
            first = c.sum(first, length)
    fillers = c.b.sub(constant(I64, schedule.systematic * z), c.info_bits)
    change_bits(c, math, c.info_bits, fillers, lambda old, i: known)


def add_run(c, math, start, first, count):
    """Add `count` received bits from number `first` to the codeword from bit `start`."""

    def add(old, i):
        received = c.load(math.vector, c.received, c.times(c.sum(first, i), math.size))
        return math.again(old, received)

    change_bits(c, math, constant(I64, start), count, add)


def change_bits(c, math, start, count, change):
    """Replace `count` codeword bits from `start`: `change` makes a vector of new ones of old ones and an index."""
    width = math.vector.count

    def step(i, mask=None):
        place = c.times(c.sum(start, i), math.size)
        old = c.load(math.vector, c.codeword, place)
        new = change(old, i)
        c.store(new if mask is None else c.b.select(mask, new, old), c.codeword, place)

    whole = c.times(c.b.sdiv(count, constant(I64, width)), width)
    with c.loop(whole, width) as i:
        step(i)
    with c.when(c.b.icmp_signed("<", whole, count)):
        step(whole, c.first_elements(width, c.b.sub(count, whole)))


def emit_load_lanes(module, layout, arithmetic):
    """Function load_lanes(workspace): plain codewords of the lanes in `fresh` into the columns, their messages to 0.

    Other lanes stay as they are; all core columns must have been extended, and are again.
    """
    c = Code(module, "load_lanes", {"workspace": BYTES})
    math = arithmetic(c)
    fresh = c.load(math.integers, c.workspace, layout.fresh, align=layout.step)
    load_this = c.b.icmp_unsigned("!=", fresh, constant(math.integers, 0))
    schedule = layout.schedule
    starts = c.table("load_starts", [layout.column(j) for j in range(schedule.columns)])
    turns = c.table("load_turns", [layout.bits(rotation, math.size) for rotation in schedule.resting])
    with c.loop(schedule.core) as j:
        with turned_column(c, math, layout, j, starts, turns) as (v, start, new):
            old = load_total(c, math, start, v, align=layout.step)
            store_total(c, math, c.b.select(load_this, math.widened(new), old), start, v)
    with c.loop(schedule.columns, 1, schedule.core) as j:
        with turned_column(c, math, layout, j, starts, turns) as (v, start, new):
            old = c.load(math.vector, c.workspace, start, v, align=layout.step)
            c.store(c.b.select(load_this, new, old), c.workspace, start, v, align=layout.step)
    start, length = layout.message_area
    keep = c.b.not_(fresh)
    with c.loop(length, layout.step) as at:
        old = c.load(math.integers, c.workspace, start, at, align=layout.step)
        c.store(c.b.and_(old, keep), c.workspace, start, at, align=layout.step)
    c.b.call(module.globals["extend_columns"], [c.workspace])
    c.b.ret_void()
    return c.function


@contextmanager
def turned_column(c, math, layout, column, starts, turns):
    """Write a loop over a column (an i64) of all codewords; yields byte offset, start, and LLRs in its rotation."""
    start, turn = (c.load(I64, table, c.times(column, 8), align=8) for table in (starts, turns))
    with c.loop(layout.span, layout.step) as v:
        c.store(lanes_side_by_side(c, math, layout, column, v), c.workspace, layout.turning, v, align=layout.step)
    with c.loop(layout.span, layout.step) as v:  # after the first, whose last vector reaches into the second
        value = c.load(math.vector, c.workspace, layout.turning, v, align=layout.step)
        c.store(value, c.workspace, layout.turning + layout.length * math.size, v, align=math.size)
    with c.loop(layout.span, layout.step) as v:
        yield v, start, c.load(math.vector, c.workspace, layout.turning, turn, v, align=math.size)


def lanes_side_by_side(c, math, layout, column, v):
    """One vector of a column (an i64) out of the codewords of all lanes; v is its byte offset in the column."""
    spec = layout.spec
    bits = layout.width // spec.lanes
    place = c.sum(c.times(column, spec.lifting_size * math.size), c.b.udiv(v, constant(I64, spec.lanes)))
    starts = [layout.codewords + lane * layout.codeword_stride for lane in range(spec.lanes)]
    return c.interleave([c.load(vector(math.element, bits), c.workspace, start, place) for start in starts])


def fill_pattern(c, math, layout, offset, lane, value):
    """Set the elements of a lane in one of the workspace's lane vectors; lane is an i64, value of the integer type."""
    start = c.sum(offset, c.times(lane, math.size))
    with c.loop(layout.step, layout.spec.lanes * math.size) as at:
        c.store(value, c.workspace, start, at, align=math.size)
