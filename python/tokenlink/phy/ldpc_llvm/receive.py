# SPDX-License-Identifier: GPL-3.0-or-later
"""Received LLRs into plain codewords: de-interleaving, rate de-matching and priors, one block at a time."""

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import BIT, BYTES, F32, I64, Code, constant, vector


def emit_receive(module, layout, arithmetic):
    """Function receive(llr, received, prior, codeword, coded_bits, info_bits) -> i1: one block into a plain codeword.

    `llr` float32 [coded_bits]; `received` scratch for as many elements; `prior` address of float32 [info_bits], or 0;
    `codeword` elements, punctured bits 0, filler bits known, repeated bits and priors added up. True if an LLR is NaN.
    """
    arguments = {"llr": BYTES, "received": BYTES, "prior": I64, "codeword": BYTES, "coded_bits": I64, "info_bits": I64}
    c = Code(module, "receive", arguments, result=BIT)
    math = arithmetic(c)
    nan = _NanSeen(c)
    deinterleave(c, math, layout.spec.bits_per_symbol, layout.step // 4, nan)
    rate_dematch(c, math, layout)
    with c.when(c.b.icmp_signed("!=", c.prior, constant(I64, 0))):
        add_prior(c, math, nan)
    know_fillers(c, math, layout)
    c.b.ret(nan.seen())
    return c.function


class _NanSeen:
    """Whether an LLR was NaN so far."""

    def __init__(self, code):
        self.c, self._flag = code, code.variable(BIT)
        code.b.store(constant(BIT, 0), self._flag)

    def look(self, llr):
        """Look at an LLR or a vector of them."""
        b = self.c.b
        bad = b.fcmp_unordered("uno", llr, llr)
        if isinstance(llr.type, ir.VectorType):
            bad = self.c.any_set(bad)
        b.store(b.or_(b.load(self._flag), bad), self._flag)

    def seen(self):
        """i1: one was NaN."""
        return self.c.b.load(self._flag)


def deinterleave(c, math, rows, symbols, nan):
    """Undo the bit interleaver of TS 38.212 clause 5.4.2.2: bit i of symbol s comes from row i, column s.

    Whole groups of `symbols` symbols go through vectors, the rest bit by bit. If coded_bits is no multiple of the
    number of rows, the first rows are one bit longer.
    """
    b = c.b
    length, longer = (getattr(b, op)(c.coded_bits, constant(I64, rows)) for op in ("udiv", "urem"))
    row_starts = [c.sum(c.times(length, i), c.smaller(constant(I64, i), longer)) for i in range(rows)]
    whole = c.times(b.udiv(length, constant(I64, symbols)), symbols)
    with c.loop(whole, symbols) as s:
        llr = c.load(vector(F32, rows * symbols), c.llr, c.times(s, 4 * rows))
        nan.look(llr)
        values = math.received(llr)
        for i, start in enumerate(row_starts):
            c.store(c.shuffle(values, None, range(i, rows * symbols, rows)), c.received,
                    c.times(c.sum(start, s), math.size))
    with c.loop(c.coded_bits, 1, c.times(whole, rows)) as i:
        llr = c.load(F32, c.llr, c.times(i, 4))
        nan.look(llr)
        row, column = b.urem(i, constant(I64, rows)), b.udiv(i, constant(I64, rows))
        place = c.sum(c.times(row, length), c.smaller(row, longer), column)
        c.store(math.received(llr), c.received, c.times(place, math.size))


def rate_dematch(c, math, layout):
    """Bits in sending order back to the codeword (TS 38.212 clause 5.4.2.1, redundancy version 0).

    The circular buffer holds the info bits but for the first 2 lifting_size, and all parity bits.
    """
    z, schedule = layout.spec.lifting_size, layout.schedule
    none = constant(math.vector, 0)
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


def know_fillers(c, math, layout):
    """The bits between the info bits and the parity bits are known zeros."""
    known = constant(math.vector, math.known)
    fillers = c.b.sub(constant(I64, layout.schedule.systematic * layout.spec.lifting_size), c.info_bits)
    change_bits(c, math, c.info_bits, fillers, lambda old, i: known)


def add_prior(c, math, nan):
    """Add the prior LLRs to the info bits, as if each had been received once more."""
    width = math.vector.count
    whole = c.times(c.b.udiv(c.info_bits, constant(I64, width)), width)
    prior = c.pointer(c.prior)

    def add(i, floats, messages):
        llr, place = c.load(floats, prior, c.times(i, 4)), c.times(i, math.size)
        nan.look(llr)
        c.store(math.again(c.load(messages, c.codeword, place), math.received(llr)), c.codeword, place)

    with c.loop(whole, width) as i:
        add(i, vector(F32, width), math.vector)
    with c.loop(c.info_bits, 1, whole) as i:  # nothing behind the last prior may be read
        add(i, F32, math.element)


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
