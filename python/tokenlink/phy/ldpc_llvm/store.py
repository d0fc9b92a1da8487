# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder's columns back to float32 a-posteriori LLRs of the info bits, block by block."""

from tokenlink.phy.ldpc_llvm.emit import BYTES, F32, I64, Code, constant, vector
from tokenlink.phy.ldpc_llvm.layers import load_totals
from tokenlink.phy.ldpc_llvm.layout import TURNING_BYTES


def emit_store_lanes(module, layout, arithmetic, block):
    """Function store_lanes(workspace, blocks, info_bits): deliver the lanes marked in `finished`.

    Systematic columns that are read rotated must have been extended. Other lanes are written to a place that nobody
    reads.
    """
    c = Code(module, "store_lanes", {"workspace": BYTES, "blocks": BYTES, "info_bits": I64})
    math = arithmetic(c)
    if layout.separate:
        _store_separate(c, math, layout, block)
    else:
        _store_side_by_side(c, math, layout, block)
    c.b.ret_void()
    return c.function


def _store_side_by_side(c, math, layout, block):
    z, schedule = layout.spec.lifting_size, layout.schedule
    outputs = [_output_of(c, layout, constant(I64, lane), block) for lane in range(layout.spec.lanes)]
    bits = layout.width // layout.spec.lanes // layout.parts
    starts = c.table("store_starts", [layout.column(j) + layout.bits(-schedule.resting[j] % z, math.total_size)
                                      for j in range(schedule.systematic)])
    columns_in_use = c.b.udiv(c.sum(c.info_bits, z - 1), constant(I64, z))
    with c.loop(columns_in_use) as j:
        start = c.load(I64, starts, c.times(j, 8), align=8)
        with c.loop(layout.vectors) as v:
            totals = load_totals(c, math, layout, (start, c.times(v, layout.step * layout.parts)))
            for part, total in enumerate(totals):
                first = c.sum(c.times(v, bits * layout.parts), c.times(j, z), part * bits)
                _deliver(c, math, layout, c.split(total, len(outputs)), outputs, first)


def _store_separate(c, math, layout, block):
    """Two squares of as many bits as lanes are turned round at a time, for one group of lanes after the other."""
    group, bits = TURNING_BYTES // math.size, TURNING_BYTES // math.total_size
    with c.loop(layout.width, group) as first:
        for part in range(layout.parts):
            outputs = [_output_of(c, layout, c.sum(first, lane), block) for lane in math.lanes_of(part, group)]
            place = c.sum(c.times(first, math.size), layout.column(0) + part * layout.step)

            def square(bit, place=place):
                return c.transposed([c.load(vector(math.total_element, bits), c.workspace, place,
                                            c.times(c.sum(bit, i), layout.step * layout.parts), align=TURNING_BYTES)
                                     for i in range(bits)])

            with c.loop(c.info_bits, 2 * bits) as bit:
                pairs = zip(square(bit), square(c.sum(bit, bits)), strict=True)
                _deliver(c, math, layout, [c.joined(pair) for pair in pairs], outputs, bit)


def _output_of(c, layout, lane, block):
    """Where the output of a lane (an i64) goes: to its block if it has finished, else to the discard area."""
    finished, number = (c.load(I64, c.workspace, field, c.times(lane, 8), align=8)
                        for field in (layout.finished, layout.block))
    # A lane that has never held a block has number 0: reading its address is harmless.
    address = c.load(I64, c.blocks, c.times(number, block.size), block.output, align=8)
    discard = c.b.ptrtoint(c.address(c.workspace, layout.discard), I64)
    chosen = c.b.icmp_signed("!=", finished, constant(I64, 0))
    return c.pointer(c.b.select(chosen, address, discard))


def _deliver(c, math, layout, lanes, outputs, first):
    """Write a vector of totals of every lane, bits `first` and following, up to the last info bit.

    What goes beyond a column's end is overwritten by the next column.
    """
    values = [math.delivered(totals) for totals in lanes]
    bits = values[0].type.count
    fits = c.b.icmp_signed("<=", c.sum(first, bits), c.info_bits)
    with c.b.if_else(fits) as (whole, partly):
        with whole:
            for value, output in zip(values, outputs, strict=True):
                c.store(value, output, c.times(first, 4))
        with partly:
            for value, output in zip(values, outputs, strict=True):
                c.store(value, c.workspace, layout.piece)
                with c.loop(c.b.sub(c.info_bits, first)) as i:
                    c.store(c.load(F32, c.workspace, layout.piece, c.times(i, 4)),
                            output, c.times(c.sum(first, i), 4))
