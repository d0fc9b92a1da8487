# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the parity checks of each lane hold."""

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import BYTES, I64, Code, constant
from tokenlink.phy.ldpc_llvm.layers import load_totals, places


def emit_check_parity(module, layout, arithmetic):
    """Function check_parity(workspace): sets `failed` of every lane whose checks do not all hold.

    A check fails on an odd number of ones, and if one of its bits is undecided: an LLR of exactly zero. Rows that a
    lane's own code does not have are left out. The search ends when every lane has failed; idle lanes count as such.
    """
    c = Code(module, "check_parity", {"workspace": BYTES})
    math = arithmetic(c)
    z, schedule = layout.spec.lifting_size, layout.schedule
    end = c.b.append_basic_block("end")

    def lane_state(offset):
        return c.load(math.integers, c.workspace, offset, align=layout.step)

    failed = c.variable(math.integers)
    c.b.store(lane_state(layout.idle), failed)
    own_rows = lane_state(layout.own_rows)
    for row in schedule.rows:
        counts = c.b.icmp_signed(">", own_rows, constant(math.integers, row.number))
        reads = [layout.bits((edge.shift - schedule.resting[edge.column]) % z, math.total_size) for edge in row.edges]
        with c.loop(layout.vectors) as register:
            fails = _fails(c, math, layout, row, register, places(c, layout, row, register, reads))
            fails = c.b.and_(fails, counts)
            if layout.tail < layout.width:
                fails = c.b.and_(fails, _real(c, math, layout, register))
            ones, zeros = constant(math.integers, -1), constant(math.integers, 0)
            c.b.store(c.b.or_(c.b.load(failed), c.b.select(fails, ones, zeros)), failed)
        spread = spread_over_lanes(c, layout, c.b.load(failed))
        c.b.store(spread, failed)
        c.leave_when(c.b.not_(c.any_set(c.b.icmp_unsigned("==", spread, constant(spread.type, 0)))), end)
    c.b.branch(end)
    c.b.position_at_end(end)
    c.store(c.b.load(failed), c.workspace, layout.failed, align=layout.step)
    c.b.ret_void()
    return c.function


def _fails(c, math, layout, row, register, read):
    """Which checks of a register do not hold: <width x i1>."""
    values = [math.narrowed(load_totals(c, math, layout, place)) for place in read]
    if row.parity is not None:
        values.append(c.load(math.vector, c.workspace, layout.parity(row.number), c.times(register, layout.step),
                             align=layout.step))
    zero = constant(math.integers, 0)
    parity = smallest = math.bits(values[0])
    for bits in map(math.bits, values[1:]):
        parity = c.b.xor(parity, bits)
        smallest = c.intrinsic("umin", smallest, bits)
    return c.b.or_(c.b.icmp_signed("<", parity, zero), c.b.icmp_unsigned("==", smallest, zero))


def _real(c, math, layout, register):
    """Which lanes of a register belong to the column: all but in its last one."""
    before = c.b.icmp_signed("<", register, constant(I64, layout.vectors - 1))
    width = layout.width
    ours = constant(ir.VectorType(ir.IntType(1), width), [element < layout.tail for element in math.order])
    return c.b.select(before, constant(ours.type, 1), ours)


def spread_over_lanes(c, layout, value):
    """Or of all elements that belong to the same lane, in each of them."""
    distance = layout.spec.lanes
    while distance < layout.width:
        turned = c.shuffle(value, None, [(i + distance) % layout.width for i in range(layout.width)])
        value, distance = c.b.or_(value, turned), 2 * distance
    return value
