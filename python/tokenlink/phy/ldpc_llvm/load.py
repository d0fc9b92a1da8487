# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain codewords into the decoder's columns, the blocks side by side."""

from contextlib import contextmanager

from tokenlink.phy.ldpc_llvm.emit import BYTES, I64, Code, constant, vector
from tokenlink.phy.ldpc_llvm.layers import load_totals, store_totals
from tokenlink.phy.ldpc_llvm.layout import TURNING_BYTES


def emit_load_lanes(module, layout, arithmetic):
    """Function load_lanes(workspace): plain codewords of the lanes in `fresh` into the columns, their messages to 0.

    Other lanes stay as they are if blocks lie side by side (core columns must have been extended, and are again);
    separate lanes are all loaded.
    """
    c = Code(module, "load_lanes", {"workspace": BYTES})
    math = arithmetic(c)
    if layout.separate:
        _load_separate(c, math, layout)
    else:
        _load_side_by_side(c, math, layout)
        c.b.call(module.globals["extend_columns"], [c.workspace])
    c.b.ret_void()
    return c.function


def _load_side_by_side(c, math, layout):
    fresh = c.load(math.integers, c.workspace, layout.fresh, align=layout.step)
    start, length = layout.message_area
    with c.loop(length, layout.step) as at:
        old = c.load(math.integers, c.workspace, start, at, align=layout.step)
        c.store(c.b.and_(old, c.b.not_(fresh)), c.workspace, start, at, align=layout.step)
    is_fresh = c.b.icmp_unsigned("!=", fresh, constant(math.integers, 0))
    schedule = layout.schedule
    starts = c.table("load_starts", [layout.column(j) for j in range(schedule.columns)])
    turns = c.table("load_turns", [layout.bits(rotation, math.size) for rotation in schedule.resting])
    with c.loop(schedule.core) as j, _turned_column(c, math, layout, j, starts, turns) as (v, start, value):
        place, masks = (start, c.times(v, layout.parts)), c.pieces(is_fresh, layout.parts)
        old, new = load_totals(c, math, layout, place), math.widened(value)
        store_totals(c, layout, [c.b.select(*each) for each in zip(masks, new, old, strict=True)], place)
    with c.loop(schedule.columns, 1, schedule.core) as j, \
            _turned_column(c, math, layout, j, starts, turns) as (v, start, value):
        old = c.load(math.vector, c.workspace, start, v, align=layout.step)
        value = c.shuffle(value, None, math.order)
        c.store(c.b.select(is_fresh, value, old), c.workspace, start, v, align=layout.step)


@contextmanager
def _turned_column(c, math, layout, column, starts, turns):
    """Loop over a column (an i64) of all codewords; yields byte offset, start, and LLRs in its rotation."""
    start, turn = (c.load(I64, table, c.times(column, 8), align=8) for table in (starts, turns))
    with c.loop(layout.span, layout.step) as v:
        c.store(_lanes_side_by_side(c, math, layout, column, v), c.workspace, layout.turning, v, align=layout.step)
    with c.loop(layout.span, layout.step) as v:  # after the first, whose last vector reaches into the second
        value = c.load(math.vector, c.workspace, layout.turning, v, align=layout.step)
        c.store(value, c.workspace, layout.turning + layout.length * math.size, v, align=math.size)
    with c.loop(layout.span, layout.step) as v:
        yield v, start, c.load(math.vector, c.workspace, layout.turning, turn, v, align=math.size)


def _lanes_side_by_side(c, math, layout, column, v):
    """One vector of a column (an i64) out of the codewords of all lanes; v is its byte offset in the column."""
    spec = layout.spec
    bits = layout.width // spec.lanes
    place = c.sum(c.times(column, spec.lifting_size * math.size), c.b.udiv(v, constant(I64, spec.lanes)))
    starts = [layout.codewords + lane * layout.codeword_stride for lane in range(spec.lanes)]
    return c.interleave([c.load(vector(math.element, bits), c.workspace, start, place) for start in starts])


def _load_separate(c, math, layout):
    """All messages to 0, and every column but those of filler bits alone."""
    schedule, known = layout.schedule, layout.spec.info_columns
    start, length = layout.message_area
    with c.loop(length, layout.step) as at:
        c.store(constant(math.integers, 0), c.workspace, start, at, align=layout.step)
    for first, end, fillers in ((0, known - 1, False), (known - 1, known, True),
                                (schedule.systematic, schedule.core, False)):
        for bit, values in _columns_of_lanes(c, math, layout, first, end):
            store_totals(c, layout, math.widened(values, fillers),
                         (layout.column(first), c.times(bit, layout.step * layout.parts)))
    for bit, values in _columns_of_lanes(c, math, layout, schedule.core, schedule.columns):
        c.store(values, c.workspace, layout.column(schedule.core), c.times(bit, layout.step), align=layout.step)


def _columns_of_lanes(c, math, layout, first, end):
    """Loop over the bits of columns, squares of as many bits as lanes at a time: generator of bit and its register."""
    square, size, z = TURNING_BYTES // math.size, math.size, layout.spec.lifting_size
    if first == end:
        return
    with c.loop((end - first) * z, square) as bit:
        place = (layout.codewords + first * z * size, c.times(bit, size))

        def row(lane):
            return c.joined([c.load(vector(math.element, square), c.workspace, *place, other * layout.codeword_stride)
                             for other in range(lane, layout.width, square)])

        for i, values in enumerate(c.transposed([row(lane) for lane in range(square)])):
            yield c.sum(bit, i), values


def fill_pattern(c, math, layout, offset, lane, value):
    """Set the elements of a lane in one of the workspace's lane vectors; lane is an i64, value of the integer type."""
    start = c.sum(offset, c.times(lane, math.size))
    with c.loop(layout.step, layout.spec.lanes * math.size) as at:
        c.store(value, c.workspace, start, at, align=math.size)
