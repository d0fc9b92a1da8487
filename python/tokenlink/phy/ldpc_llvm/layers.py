# SPDX-License-Identifier: GPL-3.0-or-later
"""One iteration: every row updates the columns it touches."""

from contextlib import contextmanager

from tokenlink.phy.ldpc_llvm.emit import BIT, BYTES, I64, Code


def emit_iteration(module, layout, arithmetic):
    """Function iteration(workspace, i1 tracked): all rows once; a-posteriori parity bits kept if `tracked`."""
    c = Code(module, "iteration", {"workspace": BYTES, "tracked": BIT})
    math = arithmetic(c)
    for row in layout.schedule.rows:
        reads = [layout.bits(edge.read, math.total_size) for edge in row.edges]
        with registers(c, layout, row, reads) as (v, read, written):
            update_row(c, math, layout, row, v, read, written)
        if not layout.separate:
            for edge in row.edges:
                extend_column(c, math, layout, edge.column, edge.extend)
    c.b.ret_void()
    return c.function


@contextmanager
def registers(c, layout, row, reads):
    """Loop over a row's checks, a register at a time.

    `reads` says, for blocks side by side, how many bytes behind the start of its column each edge's first total lies.
    Yields the byte offset of the checks in a column of messages, and for every edge the places of its totals, to read
    and to write, as lists of terms of `Code.sum`.
    """
    starts = [layout.column(edge.column) for edge in row.edges]
    if layout.separate:
        with _stretches(c, layout, row) as (v, offsets):
            places = [(offset, c.times(v, layout.parts)) for offset in offsets]
            yield v, places, places
    else:
        with c.loop(layout.span, layout.step) as v:
            of_totals = c.times(v, layout.parts)
            yield (v, [(start + read, of_totals) for start, read in zip(starts, reads, strict=True)],
                   [(start, of_totals) for start in starts])


@contextmanager
def _stretches(c, layout, row):
    """Loop over checks of separate lanes: byte offset in messages, and where each edge's column seems to start."""
    z, values = layout.spec.lifting_size, []
    for first, end, turns in row.stretches(z):
        values += [first * layout.step, end * layout.step]
        values += [layout.column(edge.column) + layout.bits(turn, layout.total_size)
                   for edge, turn in zip(row.edges, turns, strict=True)]
    table = c.table(f"stretches_{row.number}", values)
    entry = 8 * (2 + len(row.edges))
    with c.loop(8 * len(values), entry) as at:
        first, end = (c.load(I64, table, at, 8 * i, align=8) for i in range(2))
        with c.loop(end, layout.step, first) as v:
            yield v, [c.load(I64, table, at, 8 * (2 + i), align=8) for i in range(len(row.edges))]


def update_row(c, math, layout, row, v, read, written):
    """Min-sum update of one register of a row's checks."""
    messages = c.times(v, len(row.edges))

    def old_message(edge):
        return c.load(math.vector, c.workspace, layout.message(row, edge), messages, align=layout.step)

    edges = range(len(row.edges))
    extrinsic = [math.extrinsic(load_totals(c, math, layout, read[i]), old_message(i)) for i in edges]
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

    for i in edges:
        new = message_to(extrinsic[i])
        totals = math.updated(load_totals(c, math, layout, read[i]), extrinsic[i], old_message(i), new)
        c.store(new, c.workspace, layout.message(row, i), messages, align=layout.step)
        store_totals(c, layout, totals, written[i])
    if channel is not None:
        with c.when(c.tracked):
            posterior = math.posterior(channel, message_to(channel))
            c.store(posterior, c.workspace, layout.parity(row.number), v, align=layout.step)


def load_totals(c, math, layout, place):
    """The totals of one register of messages: a list of vectors."""
    return [c.load(math.totals, c.workspace, *place, part * layout.step, align=_alignment(layout))
            for part in range(layout.parts)]


def store_totals(c, layout, totals, place):
    """The inverse of `load_totals`."""
    for part, total in enumerate(totals):
        c.store(total, c.workspace, *place, part * layout.step, align=_alignment(layout))


def _alignment(layout):
    return layout.step if layout.separate else layout.total_size


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
        with c.loop(layout.bits(count, math.total_size), layout.step * layout.parts) as at:
            head = load_totals(c, math, layout, (start, at))
            store_totals(c, layout, head, (start + layout.length * math.total_size, at))


def emit_extend(module, layout, arithmetic):
    """Function extend_columns(workspace): the whole of every core column once more behind its end."""
    c = Code(module, "extend_columns", {"workspace": BYTES})
    math = arithmetic(c)
    for column in range(0 if layout.separate else layout.schedule.core):
        extend_column(c, math, layout, column, layout.spec.lifting_size)
    c.b.ret_void()
    return c.function
