# SPDX-License-Identifier: GPL-3.0-or-later
"""LLR arithmetic of the decoder in bytes and 16-bit words.

LLRs are held in steps of 1 / STEPS nat, messages in bytes and totals in 16-bit words. A total is at all times its
channel LLR plus the newest message of each of its rows, without rounding: at most 30 rows meet in a column, so that it
cannot overflow. (A total that saturates is no longer that sum. A message that falls takes its part from it and gives
nothing back when it rises, until clear words decay to zeros.) A row reads totals cut to +-127. That changes none of its
messages: where the cut bites, the extrinsic LLR is at least 127 less the message limit, and the limit is chosen so that
everything from there on gives the largest message.
"""

from functools import lru_cache

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import F32, I8, I16, I32, constant, vector
from tokenlink.phy.ldpc_llvm.float32 import Float32

#: steps per nat; where totals are cut for a row; a known zero as received, and its total, which no sum of
#: messages turns round
STEPS = 6.0
CUT = KNOWN = 127
KNOWN_TOTAL = 2**14
#: adding this to a small float leaves the nearest integer in its low byte (ties to even)
_ROUNDING = 1.5 * 2**23
#: bytes of a register -> x86's instruction for packing two of words into one of bytes, saturating
_PACKS = {32: "llvm.x86.avx2.packsswb", 64: "llvm.x86.avx512.packsswb.512"}
#: and for multiplying unsigned with signed bytes, adding neighbours to words
_MULTIPLY_ADDS = {32: "llvm.x86.avx2.pmadd.ub.sw", 64: "llvm.x86.avx512.pmaddubs.w.512"}


def eighths_of(alpha):
    """The factor on check messages of int8 in eighths, 1..8."""
    return min(max(round(alpha * 8), 1), 8)


def _average(a, b):
    return (a + b + 1) // 2


def scaled_steps(magnitude, eighths, average=_average):
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
def message_limit(eighths):
    """The largest check message that a magnitude of 127 less this message still gives, in steps.

    Channel LLRs are clipped below it, so that a row that is sure overrules a channel LLR that is sure of the wrong bit.
    """
    return max(limit for limit in range(64) if scaled_steps(CUT - limit, eighths) >= limit)


class Int8(Float32):
    """Messages in int8, totals in int16; `alpha` is rounded to eighths."""

    element, size, integer, known = I8, 1, I8, KNOWN
    total_element, total_size = I16, 2

    @property
    def _llr_limit(self):
        return message_limit(eighths_of(self.alpha)) - 1

    @property
    def order(self):
        """x86 packs two registers of words into bytes, and unpacks them, 16 bytes of either in turn."""
        if self.width not in _PACKS:
            return range(self.width)
        return [half * self.width // 2 + start + i for start in range(0, self.width // 2, 8)
                for half in (0, 1) for i in range(8)]

    @property
    def _alternates(self):
        """Totals of even lanes are one part, those of odd lanes the other: bytes become words without being moved."""
        return self._separate and self.width in _PACKS

    def lanes_of(self, part, count):
        """Which of `count` lanes have their totals in a part."""
        return range(part, count, 2) if self._alternates else range(part * count // 2, (part + 1) * count // 2)

    def widened(self, received, known=True):
        """Totals of received LLRs (any vector length): list of `parts` vectors; `known`: filler bits are among them."""
        count = received.type.count
        type_ = vector(I16, count // self.parts)
        if self._alternates:
            totals = self._alternating_words(received)
        else:
            totals = [self.b.sext(self.code.shuffle(received, None, self.lanes_of(part, count)), type_)
                      for part in range(self.parts)]
        if not known:
            return totals
        marks = [self.b.icmp_signed("==", total, constant(type_, KNOWN)) for total in totals]
        value = constant(type_, KNOWN_TOTAL)
        return [self.b.select(mark, value, total) for mark, total in zip(marks, totals, strict=True)]

    def narrowed(self, totals):
        """Totals as messages, saturating."""
        if self.width in _PACKS:
            packed = self.code.call(_PACKS[self.width], self.vector, *totals)
            if not self._alternates:
                return packed
            zipped = [start + i + half for start in range(0, self.width, 16) for i in range(8) for half in (0, 8)]
            return self.code.shuffle(packed, None, zipped)
        low, high = constant(self.totals, -128), constant(self.totals, CUT)
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
        change = self.b.sub(new, old)
        words = self._alternating_words(change) if self._alternates else self._unpacked_words(change)
        return [self.b.add(*each) for each in zip(totals, words, strict=True)]

    def _alternating_words(self, change):
        """Even and odd bytes as words: the even ones times 1 plus the odd ones times 0, and shifted."""
        even = constant(self.vector, [1, 0] * (self.width // 2))
        odd = self.b.ashr(self.b.bitcast(change, self.totals), constant(self.totals, 8))
        return self.code.call(_MULTIPLY_ADDS[self.width], self.totals, even, change), odd

    def _unpacked_words(self, change):
        """Bytes as words in plain order: a byte above itself, shifted."""
        half, place = self.width // 2, {element: lane for lane, element in enumerate(self.order)}
        twice = [[place[part * half + i] for i in range(half) for _ in (0, 1)] for part in range(self.parts)]
        words = [self.b.bitcast(self.code.shuffle(change, None, order), self.totals) for order in twice]
        return [self.b.ashr(each, constant(self.totals, 8)) for each in words]

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

    def scaled(self, magnitude, may_exceed=True):
        """Check message of a magnitude, before its sign: alpha in eighths, up to the limit."""
        eighths = eighths_of(self.alpha)
        value = scaled_steps(magnitude, eighths, self._average)
        if not may_exceed:
            return value
        return self.smaller(value, constant(magnitude.type, message_limit(eighths)))

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
        steps = b.fmul(llr, constant(llr.type, STEPS))
        low, high = constant(llr.type, -limit), constant(llr.type, limit)
        steps = b.select(b.fcmp_ordered(">", steps, low), steps, low)
        steps = b.select(b.fcmp_ordered("<", steps, high), steps, high)
        scalar = not isinstance(llr.type, ir.VectorType)
        integers = I32 if scalar else vector(I32, llr.type.count)
        rounded = b.bitcast(b.fadd(steps, constant(llr.type, _ROUNDING)), integers)
        return b.trunc(rounded, I8 if scalar else vector(I8, llr.type.count))

    def again(self, before, llr):
        """Sum of two channel LLRs of one repeated bit, clipped like one."""
        b, total = self.b, self.code.intrinsic("sadd.sat", before, llr)
        low, high = constant(total.type, -self._llr_limit), constant(total.type, self._llr_limit)
        total = b.select(b.icmp_signed(">", total, low), total, low)
        return b.select(b.icmp_signed("<", total, high), total, high)

    def delivered(self, value):
        """Steps as float32 LLRs in nat."""
        floats = vector(F32, value.type.count)
        return self.b.fmul(self.b.sitofp(value, floats), constant(floats, 1 / STEPS))
