# SPDX-License-Identifier: GPL-3.0-or-later
"""One iteration: every row updates the columns it touches; then the parity checks."""

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import BIT, BYTES, I64, Code, constant


def emit_iteration(module, layout, arithmetic):
    """Function iteration(workspace, i1 tracked): all rows once; a-posteriori parity bits kept if `tracked`."""
    c = Code(module, "iteration", {"workspace": BYTES, "tracked": BIT})
    math = arithmetic(c)
    for row in layout.schedule.rows:
        with c.loop(layout.span, layout.step) as v:
            update_row(c, math, layout, row, v)
        for edge in row.edges:
            extend_column(c, math, layout, edge.column, edge.extend)
    c.b.ret_void()
    return c.function


def update_row(c, math, layout, row, v):
    """Min-sum update of one vector of a row's checks, all in registers."""
    read = [read_edge(c, math, layout, edge, v) for edge in row.edges]
    extrinsic = [value for _, _, value in read]
    channel = None
    if row.parity is not None:
        channel = c.load(math.vector, c.workspace, layout.column(row.parity), v, align=layout.step)
    inputs = extrinsic + ([] if channel is None else [channel])
    smallest, second, signs = two_smallest(c, math, inputs)
    to_others = math.signed(math.scaled(smallest), signs)
    to_smallest = math.signed(math.scaled(second), signs)

    def message_to(value):
        is_smallest = math.equal(math.magnitude(value), smallest)
        return math.signed(c.b.select(is_smallest, to_smallest, to_others), math.bits(value))

    for edge, (total, old, value) in zip(row.edges, read, strict=True):
        new = message_to(value)
        c.store(new, c.workspace, layout.message(edge.message), v, align=layout.step)
        store_total(c, math, math.updated(total, value, old, new), layout.column(edge.column), v)
    if channel is not None:
        with c.when(c.tracked):
            posterior = math.posterior(channel, message_to(channel))
            c.store(posterior, c.workspace, layout.parity(row.number), v, align=layout.step)


def read_edge(c, math, layout, edge, v):
    """A column's total in the row's rotation, what this row said to it last time, and the total without that."""
    total = load_total(c, math, layout.column(edge.column) + layout.bits(edge.read, math.total_size), v)
    old = c.load(math.vector, c.workspace, layout.message(edge.message), v, align=layout.step)
    return total, old, math.extrinsic(total, old)


def load_total(c, math, start, v, align=None):
    """Totals of the elements whose messages lie `v` bytes behind the start of theirs; `start` is that of the totals."""
    return c.load(math.totals, c.workspace, start, c.times(v, math.total_size // math.size),
                  align=align or math.total_size)


def store_total(c, math, total, start, v):
    """The inverse of `load_total`."""
    c.store(total, c.workspace, start, c.times(v, math.total_size // math.size), align=math.total_size)


def two_smallest(c, math, values):
    """Smallest and second smallest magnitude, and integers whose top bit is the product of all signs."""
    smallest, second, signs = math.magnitude(values[0]), None, math.bits(values[0])
    for value in values[1:]:
        magnitude = math.magnitude(value)
        rest = math.larger(smallest, magnitude)
        second = rest if second is None else math.smaller(second, rest)
        smallest = math.smaller(smallest, magnitude)
        signs = c.b.xor(signs, math.bits(value))
    return smallest, second, signs


def extend_column(c, math, layout, column, count):
    """Repeat the first `count` bits of a column behind its end."""
    start = layout.column(column)
    if count:
        with c.loop(layout.bits(count, math.size), layout.step) as v:
            head = load_total(c, math, start, v)
            store_total(c, math, head, start + layout.length * math.total_size, v)


def emit_extend(module, layout, arithmetic):
    """Function extend_columns(workspace): the whole of every core column once more behind its end."""
    c = Code(module, "extend_columns", {"workspace": BYTES})
    math = arithmetic(c)
    for column in range(layout.schedule.core):
        extend_column(c, math, layout, column, layout.spec.lifting_size)
    c.b.ret_void()
    return c.function


def emit_check_parity(module, layout, arithmetic):
    """Function check_parity(workspace): sets `failed` of every lane whose checks do not all hold.

    A check fails on an odd number of ones, and if one of its bits is undecided: an LLR of exactly zero. Rows that a
    lane's own code does not have are left out. The search ends when every lane has failed; idle lanes count as such.
    """
    c = Code(module, "check_parity", {"workspace": BYTES})
    math = arithmetic(c)
    z, schedule = layout.spec.lifting_size, layout.schedule
    zero, ones = constant(math.integers, 0), constant(math.integers, -1)
    end = c.b.append_basic_block("end")

    def lane_state(offset):
        return c.load(math.integers, c.workspace, offset, align=layout.step)

    c.store(lane_state(layout.idle), c.workspace, layout.failed, align=layout.step)
    own_rows = lane_state(layout.own_rows)
    for row in schedule.rows:
        places = [layout.column(e.column) + layout.bits((int(schedule.shifts[row.number, e.column])
                                                         - schedule.resting[e.column]) % z, math.total_size)
                  for e in row.edges]
        counts = c.b.icmp_signed(">", own_rows, constant(math.integers, row.number))

        def check(v, row=row, places=places, counts=counts, real=None):
            parity = smallest = None
            values = [math.narrowed(load_total(c, math, place, v)) for place in places]
            if row.parity is not None:
                values.append(c.load(math.vector, c.workspace, layout.parity(row.number), v, align=layout.step))
            for bits in map(math.bits, values):
                parity = bits if parity is None else c.b.xor(parity, bits)
                smallest = bits if smallest is None else c.intrinsic("umin", smallest, bits)
            fails = c.b.or_(c.b.icmp_signed("<", parity, zero), c.b.icmp_unsigned("==", smallest, zero))
            fails = c.b.and_(fails, counts)
            if real is not None:
                fails = c.b.and_(fails, constant(fails.type, real))
            failed = c.b.or_(lane_state(layout.failed), c.b.select(fails, ones, zero))
            c.store(failed, c.workspace, layout.failed, align=layout.step)

        whole = layout.length // layout.width * layout.step
        if whole:
            with c.loop(whole, layout.step) as v:
                check(v)
        if whole < layout.span:
            check(constant(I64, whole), real=layout.tail)
        failed = spread_over_lanes(c, layout, lane_state(layout.failed))
        c.store(failed, c.workspace, layout.failed, align=layout.step)
        c.leave_when(all_set(c, failed), end)
    c.b.branch(end)
    c.b.position_at_end(end)
    c.b.ret_void()
    return c.function


def spread_over_lanes(c, layout, value):
    """Or of all elements that belong to the same lane, in each of them."""
    distance = layout.spec.lanes
    while distance < layout.width:
        turned = c.shuffle(value, None, [(i + distance) % layout.width for i in range(layout.width)])
        value, distance = c.b.or_(value, turned), 2 * distance
    return value


def all_set(c, value):
    """i1: no element is zero."""
    zeros = c.b.icmp_unsigned("==", value, constant(value.type, 0))
    flags = ir.IntType(value.type.count)
    return c.b.icmp_unsigned("==", c.b.bitcast(zeros, flags), constant(flags, 0))
