# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder's columns back to float32 a-posteriori LLRs of the info bits, block by block."""

from tokenlink.phy.ldpc_llvm.emit import BYTES, F32, I64, Code, constant
from tokenlink.phy.ldpc_llvm.layers import load_total


def emit_store_lanes(module, layout, arithmetic, block):
    """Function store_lanes(workspace, blocks, info_bits): deliver the lanes marked in `finished`.

    The systematic columns must have been extended. Other lanes are written to a place that nobody reads.
    """
    c = Code(module, "store_lanes", {"workspace": BYTES, "blocks": BYTES, "info_bits": I64})
    math = arithmetic(c)
    z, schedule = layout.spec.lifting_size, layout.schedule
    outputs = [output_of(c, layout, lane, block) for lane in range(layout.spec.lanes)]
    bits = layout.width // layout.spec.lanes
    starts = c.table("store_starts", [layout.column(j) + layout.bits(-schedule.resting[j] % z, math.total_size)
                                      for j in range(schedule.systematic)])
    columns_in_use = c.b.udiv(c.sum(c.info_bits, z - 1), constant(I64, z))
    with c.loop(columns_in_use) as j:
        start = c.load(I64, starts, c.times(j, 8), align=8)
        with c.loop(layout.vectors) as v:
            value = load_total(c, math, start, c.times(v, layout.step))
            deliver(c, math, layout, value, outputs, c.sum(c.times(v, bits), c.times(j, z)))
    c.b.ret_void()
    return c.function


def output_of(c, layout, lane, block):
    """Where a lane's output goes: to its block if it has finished, else to the discard area."""
    finished = c.load(I64, c.workspace, layout.finished + 8 * lane, align=8)
    number = c.load(I64, c.workspace, layout.block + 8 * lane, align=8)
    # A lane that has never held a block has number 0: reading its address is harmless.
    address = c.load(I64, c.blocks, c.times(number, block.size), block.output, align=8)
    discard = c.b.ptrtoint(c.address(c.workspace, layout.discard), I64)
    chosen = c.b.icmp_signed("!=", finished, constant(I64, 0))
    return c.pointer(c.b.select(chosen, address, discard))


def deliver(c, math, layout, value, outputs, first):
    """Write one vector, bits `first` and following of every lane, up to the last info bit.

    What goes beyond the column's end is overwritten by the next column.
    """
    parts = [math.delivered(part) for part in c.split(value, len(outputs))]
    bits = parts[0].type.count
    fits = c.b.icmp_signed("<=", c.sum(first, bits), c.info_bits)
    with c.b.if_else(fits) as (whole, partly):
        with whole:
            for part, output in zip(parts, outputs, strict=True):
                c.store(part, output, c.times(first, 4))
        with partly:
            for part, output in zip(parts, outputs, strict=True):
                c.store(part, c.workspace, layout.piece)
                with c.loop(c.b.sub(c.info_bits, first)) as i:
                    c.store(c.load(F32, c.workspace, layout.piece, c.times(i, 4)),
                            output, c.times(c.sum(first, i), 4))
