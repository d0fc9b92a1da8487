# SPDX-License-Identifier: GPL-3.0-or-later
"""LLR arithmetic of the decoder in two precisions behind one set of words.

A row's messages and what reaches it are "messages", the a-posteriori LLRs of the columns are "totals". Both
precisions follow `ldpc_reference` bit by bit.

**int8** holds LLRs in steps of 1 / INT8_STEPS nat, messages in bytes and totals in 16-bit words. A total is at all
times its channel LLR plus the newest message of each of its rows, without rounding: at most 30 rows meet in a column,
so that it cannot overflow. (A total that saturates is no longer that sum. A message that falls takes its part from it
and gives nothing back when it rises, until clear words decay to zeros.) A row reads totals cut to +-127. That changes
none of its messages: where the cut bites, the extrinsic LLR is at least 127 less the message limit, and the limit is
chosen so that everything from there on gives the largest message.
"""

from functools import lru_cache

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import F32, I8, I16, I32, constant, vector

#: channel LLRs of float32 are clipped to this; known zeros (filler bits) and check messages are held to KNOWN_LLR
LLR_LIMIT = 1e3
KNOWN_LLR = 1e4
#: int8: steps per nat; where totals are cut for a row; a known zero as received, and its total, which no sum of
#: messages turns round
INT8_STEPS = 6.0
INT8_CUT = INT8_KNOWN = 127
INT8_KNOWN_TOTAL = 2**14
#: adding this to a small float leaves the nearest integer in its low bits (ties to even)
_ROUNDING = 1.5 * 2**23
_ROUNDING_BITS = 0x4B400000
#: bytes of a register -> x86's instruction for packing two of words into one of bytes, saturating
_PACKS = {32: "llvm.x86.avx2.packsswb", 64: "llvm.x86.avx512.packsswb.512"}


def int8_eighths(alpha):
    """The factor on check messages of int8 in eighths, 1..8."""
    return min(max(round(alpha * 8), 1), 8)


def _average(a, b):
    return (a + b + 1) // 2


def int8_scaled(magnitude, eighths, average=_average):
    """eighths / 8 times a magnitude in whole steps, rounded up by 3/8 of a step in the mean.

    One average per binary digit of the factor; its rounding makes 6/8 act like 0.8 on small magnitudes.
    """
    value = magnitude if eighths == 8 else None
    for digit in range(0 if eighths == 8 else 3):
        bit = (eighths >> digit) & 1
        if bit or value is not None:
            value = average(0 if value is None else value, magnitude if bit else 0)
    return value


@lru_cache(maxsize=8)
def int8_message_limit(eighths):
    """The largest check message that a magnitude of 127 less this message still gives, in steps.

    Channel LLRs are clipped below it, so that a row that is sure overrules a channel LLR that is sure of the wrong bit.
    """
    return max(limit for limit in range(64) if int8_scaled(INT8_CUT - limit, eighths) >= limit)


class Float32:
    """float32 LLRs in nat.

    Parameters
    ----------
    code : emit.Code   the function that is written
    width : int        vector lanes
    alpha : float      factor on check messages
    """

    element, size, integer, known = F32, 4, I32, KNOWN_LLR
    total_element, total_size = F32, 4

    def __init__(self, code, width, alpha):
        self.code, self.b, self.alpha, self.width = code, code.b, alpha, width
        self.parts = self.total_size // self.size
        self.vector, self.integers = vector(self.element, width), vector(self.integer, width)
        self.totals = vector(self.total_element, width // self.parts)

    @property
    def order(self):
        """Which element of a column each lane of a register of messages belongs to."""
        return range(self.width)

    def widened(self, received):
        """Totals of received LLRs (any vector length) in plain order, as a list of `parts` vectors."""
        return [received]

    def narrowed(self, totals):
        """A list of totals as one vector of messages: sign and zero are kept."""
        return totals[0]

    def extrinsic(self, totals, message):
        """What totals say without a message that is part of them."""
        return self.b.fsub(self.narrowed(totals), message)

    def updated(self, totals, extrinsic, old, new):
        """Totals in which a new message takes the place of an old one."""
        return [self.b.fadd(extrinsic, new)]

    def posterior(self, received, message):
        """A-posteriori LLR, as a message, of a bit with one check."""
        return self.b.fadd(received, message)

    def magnitude(self, a):
        """Absolute value, as integers of the same order: they are compared with half the effort."""
        return self.b.and_(self.bits(a), constant(self.integers, 2**31 - 1))

    def smaller(self, a, b):
        """The smaller of two magnitudes."""
        return self.code.intrinsic("umin", a, b)

    def larger(self, a, b):
        """The larger of two magnitudes."""
        return self.code.intrinsic("umax", a, b)

    def equal(self, a, b):
        """Where two magnitudes are equal."""
        return self.b.icmp_unsigned("==", a, b)

    def bits(self, a):
        """The same bits as integers; their top bit is the sign."""
        return self.b.bitcast(a, self.integers)

    def scaled(self, magnitude):
        """Check message of a magnitude, before its sign: alpha times what is left below the limit."""
        value, known = self.b.bitcast(magnitude, self.vector), constant(self.vector, KNOWN_LLR)
        limited = self.b.select(self.b.fcmp_ordered("<", value, known), value, known)
        return self.b.fmul(constant(self.vector, self.alpha), limited)

    def signed(self, magnitude, signs):
        """A magnitude with its sign turned where the top bit of the integers `signs` is set."""
        turn = self.b.and_(signs, constant(self.integers, -(2**31)))
        return self.b.bitcast(self.b.xor(self.b.bitcast(magnitude, self.integers), turn), self.vector)

    def received(self, llr):
        """Channel LLRs (float32, any vector length) as the decoder holds them."""
        low, high = (constant(llr.type, limit) for limit in (-LLR_LIMIT, LLR_LIMIT))
        above = self.b.select(self.b.fcmp_ordered(">", llr, low), llr, low)
        return self.b.select(self.b.fcmp_ordered("<", above, high), above, high)

    def again(self, before, llr):
        """Sum of two channel LLRs of one repeated bit."""
        return self.b.fadd(before, llr)

    def delivered(self, value):
        """What the decoder holds as float32 LLRs in nat."""
        return value


class Int8(Float32):
    """Messages in int8, totals in int16; `alpha` is rounded to eighths."""

    element, size, integer, known = I8, 1, I8, INT8_KNOWN
    total_element, total_size = I16, 2

    @property
    def _llr_limit(self):
        return int8_message_limit(int8_eighths(self.alpha)) - 1

    @property
    def order(self):
        """x86 packs two registers of words into bytes, and unpacks them, 16 bytes of either in turn."""
        if self.width not in _PACKS:
            return range(self.width)
        return [half * self.width // 2 + start + i for start in range(0, self.width // 2, 8)
                for half in (0, 1) for i in range(8)]

    def widened(self, received):
        """Totals of received LLRs (any vector length) in plain order, as a list of `parts` vectors."""
        totals = []
        for piece in self.code.pieces(received, self.parts):
            type_ = vector(I16, piece.type.count)
            total, known = self.b.sext(piece, type_), constant(type_, INT8_KNOWN)
            is_known = self.b.icmp_signed("==", total, known)
            totals.append(self.b.select(is_known, constant(type_, INT8_KNOWN_TOTAL), total))
        return totals

    def narrowed(self, totals):
        """Totals as messages, saturating."""
        if self.width in _PACKS:
            return self.code.call(_PACKS[self.width], self.vector, *totals)
        low, high = constant(self.totals, -128), constant(self.totals, INT8_CUT)
        bytes_ = []
        for total in totals:
            total = self.b.select(self.b.icmp_signed(">", total, low), total, low)
            total = self.b.select(self.b.icmp_signed("<", total, high), total, high)
            bytes_.append(self.b.trunc(total, vector(I8, total.type.count)))
        return self.code.shuffle(*bytes_, range(self.width))

    def extrinsic(self, totals, message):
        """What totals say without a message that is part of them, saturating."""
        return self.code.intrinsic("ssub.sat", self.narrowed(totals), message)

    def updated(self, totals, extrinsic, old, new):
        """Totals in which a new message takes the place of an old one: the difference fits a byte."""
        change, shift = self.b.sub(new, old), constant(self.totals, 8)
        half = self.width // 2
        place = {element: lane for lane, element in enumerate(self.order)}
        updated = []
        for part, total in enumerate(totals):
            twice = [place[part * half + i] for i in range(half) for _ in (0, 1)]
            words = self.b.bitcast(self.code.shuffle(change, None, twice), self.totals)
            updated.append(self.b.add(total, self.b.ashr(words, shift)))  # a byte above itself: its sign is extended
        return updated

    def posterior(self, received, message):
        """A-posteriori LLR of a bit with one check, saturating."""
        return self.code.intrinsic("sadd.sat", received, message)

    def magnitude(self, a):
        """Absolute value as an unsigned byte: -128 gives 128."""
        b = self.b
        return b.select(b.icmp_signed("<", a, constant(a.type, 0)), b.sub(constant(a.type, 0), a), a)

    def bits(self, a):
        """The same."""
        return a

    def scaled(self, magnitude):
        """Check message of a magnitude, before its sign: alpha in eighths, up to the limit."""
        eighths = int8_eighths(self.alpha)
        value = int8_scaled(magnitude, eighths, self._average)
        return self.smaller(value, constant(magnitude.type, int8_message_limit(eighths)))

    def _average(self, a, b):
        """(a + b + 1) / 2 of unsigned bytes or 0; the form backends know as one instruction."""
        a, b = (constant(self.vector, 0) if value == 0 else value for value in (a, b))
        wide = vector(I16, a.type.count)
        total = self.b.add(self.b.add(self.b.zext(a, wide), self.b.zext(b, wide)), constant(wide, 1))
        return self.b.trunc(self.b.lshr(total, constant(wide, 1)), a.type)

    def signed(self, magnitude, signs):
        """A magnitude with its sign turned where `signs` is negative."""
        zero = constant(self.vector, 0)
        return self.b.select(self.b.icmp_signed("<", signs, zero), self.b.sub(zero, magnitude), magnitude)

    def received(self, llr):
        """Channel LLRs (float32) rounded to steps and clipped."""
        b, limit = self.b, self._llr_limit
        steps = b.fmul(llr, constant(llr.type, INT8_STEPS))
        low, high = constant(llr.type, -limit), constant(llr.type, limit)
        steps = b.select(b.fcmp_ordered(">", steps, low), steps, low)
        steps = b.select(b.fcmp_ordered("<", steps, high), steps, high)
        scalar = not isinstance(llr.type, ir.VectorType)
        integers = I32 if scalar else vector(I32, llr.type.count)
        whole = b.sub(b.bitcast(b.fadd(steps, constant(llr.type, _ROUNDING)), integers),
                      constant(integers, _ROUNDING_BITS))
        return b.trunc(whole, I8 if scalar else vector(I8, llr.type.count))

    def again(self, before, llr):
        """Sum of two channel LLRs of one repeated bit, clipped like one."""
        b, total = self.b, self.code.intrinsic("sadd.sat", before, llr)
        low, high = constant(total.type, -self._llr_limit), constant(total.type, self._llr_limit)
        total = b.select(b.icmp_signed(">", total, low), total, low)
        return b.select(b.icmp_signed("<", total, high), total, high)

    def delivered(self, value):
        """Steps as float32 LLRs in nat."""
        floats = vector(F32, value.type.count)
        return self.b.fmul(self.b.sitofp(value, floats), constant(floats, 1 / INT8_STEPS))


ARITHMETIC = {"float32": Float32, "int8": Int8}
