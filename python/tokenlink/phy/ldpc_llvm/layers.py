# SPDX-License-Identifier: GPL-3.0-or-later
"""One iteration: every row updates the columns it touches."""

from tokenlink.phy.ldpc_llvm.emit import BIT, BYTES, I32, I64, Code

#: edges of a row up to which there are registers to read the next checks in advance, and above which there are too few
#: to keep the magnitudes of these
FEW_EDGES, MANY_EDGES = 8, 11


def emit_iteration(module, layout, arithmetic):
    """Function iteration(workspace, i1 tracked): all rows once; a-posteriori parity bits kept if `tracked`."""
    c = Code(module, "iteration", {"workspace": BYTES, "tracked": BIT})
    math = arithmetic(c)
    for row in layout.schedule.rows:
        update_row(c, math, layout, row)
        if not layout.separate:
            for edge in row.edges:
                extend_column(c, math, layout, edge.column, edge.extend)
    c.b.ret_void()
    return c.function


def update_row(c, math, layout, row):
    """Min-sum update of a row's checks, a register at a time."""
    reads = [layout.bits(edge.read, math.total_size) for edge in row.edges]

    def read(register):
        return read_checks(c, math, layout, row, register, places(c, layout, row, register, reads))

    def write(register, values):
        write_checks(c, math, layout, row, register, places(c, layout, row, register, reads), values)

    if len(row.edges) <= FEW_EDGES:
        c.overlapped(layout.vectors, read, write)
    else:
        with c.loop(layout.vectors) as register:
            write(register, read(register))


def places(c, layout, row, register, reads):
    """Where the totals of a row's edges lie for one register of checks (an i64), as lists of terms of `Code.sum`.

    `reads` says, for blocks side by side, how many bytes behind the start of its column each edge's first total lies.
    """
    if layout.separate:
        table, size = _table_of_places(c, layout, row), 4 * len(row.edges)
        return [(c.b.zext(c.load(I32, table, c.times(register, size), 4 * i, align=4), I64),)
                for i in range(len(row.edges))]
    at = c.times(register, layout.step * layout.parts)
    return [(layout.column(edge.column) + read, at) for edge, read in zip(row.edges, reads, strict=True)]


def _table_of_places(c, layout, row):
    """For every check of separate lanes, where the totals of its edges lie: byte pointer to int32."""
    z = layout.spec.lifting_size
    return c.table(f"places_{row.number}", [
        layout.column(edge.column) + layout.bits((check + edge.shift) % z, layout.total_size)
        for check in range(z) for edge in row.edges], "int32")


def read_checks(c, math, layout, row, register, read):
    """What a register of checks hears: extrinsic LLRs, the smallest magnitude, and messages to others and to it."""
    inputs = [] if row.parity is None else [_channel(c, math, layout, row, register)]
    found = _TwoSmallest(c, math, inputs)
    for i, place in enumerate(read):
        totals, old = load_totals(c, math, layout, place), old_message(c, math, layout, row, register, i)
        inputs.append(math.extrinsic(totals, old))
        found.add(inputs[-1])  # at once: what an edge needs is spread over all of the processor's units
    # A row with a parity bit of its own hears a channel LLR, which is too small for the limit of messages.
    to_others = math.signed(math.scaled(found.smallest, row.parity is None), found.signs)
    to_smallest = math.signed(math.scaled(found.second), found.signs)
    return [*inputs[row.parity is not None :], found.smallest, to_others, to_smallest]


def write_checks(c, math, layout, row, register, read, values):
    """New messages and totals of a register of checks, from what `read_checks` gives."""
    *extrinsic, smallest, to_others, to_smallest = values

    def message_to(value):
        if len(row.edges) > MANY_EDGES:
            value = c.unrelated(value, layout.step)
        is_smallest = math.equal(math.magnitude(value), smallest)
        return math.signed(c.b.select(is_smallest, to_smallest, to_others), math.bits(value))

    written = read if layout.separate else places(c, layout, row, register, [0] * len(row.edges))
    for i, value in enumerate(extrinsic):
        old, new = old_message(c, math, layout, row, register, i), message_to(value)
        totals = math.updated(load_totals(c, math, layout, read[i]), value, old, new)
        c.store(new, c.workspace, *_message(c, layout, row, register, i), align=layout.step)
        store_totals(c, layout, totals, written[i])
    if row.parity is not None:
        with c.when(c.tracked):
            channel = _channel(c, math, layout, row, register)
            posterior = math.posterior(channel, message_to(channel))
            c.store(posterior, c.workspace, layout.parity(row.number), c.times(register, layout.step),
                    align=layout.step)


def _message(c, layout, row, register, edge):
    return layout.message(row, edge), c.times(register, len(row.edges) * layout.step)


def old_message(c, math, layout, row, register, edge):
    """What a register of checks said to an edge last time."""
    return c.load(math.vector, c.workspace, *_message(c, layout, row, register, edge), align=layout.step)


def _channel(c, math, layout, row, register):
    return c.load(math.vector, c.workspace, layout.column(row.parity), c.times(register, layout.step),
                  align=layout.step)


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


class _TwoSmallest:
    """Smallest and second smallest magnitude of inputs, and integers whose top bit is the product of all signs."""

    def __init__(self, code, math, inputs):
        self._c, self._math, self.smallest, self.second, self.signs = code, math, None, None, None
        for value in inputs:
            self.add(value)

    def add(self, value):
        """One more input."""
        math, magnitude = self._math, self._math.magnitude(value)
        if self.smallest is None:
            self.smallest, self.signs = magnitude, math.bits(value)
            return
        rest = math.larger(self.smallest, magnitude)
        self.second = rest if self.second is None else math.smaller(self.second, rest)
        self.smallest = math.smaller(self.smallest, magnitude)
        self.signs = self._c.b.xor(self.signs, math.bits(value))


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
