# SPDX-License-Identifier: GPL-3.0-or-later
"""LLR arithmetic of the decoder in two precisions behind one set of words.

float32 follows `ldpc_reference` bit by bit. int8 holds LLRs in steps of 1 / INT8_STEPS nat and saturates.
"""

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.emit import F32, I8, I16, I32, constant, vector

#: channel LLRs of float32 are clipped to this; known zeros (filler bits) and check messages are held to KNOWN_LLR
LLR_LIMIT = 1e3
KNOWN_LLR = 1e4
#: int8: steps per nat, limits of channel LLRs and of check messages, and the value of a known zero, in steps
INT8_STEPS = 6.0
INT8_LLR_LIMIT = 80
INT8_MESSAGE_LIMIT = 63
INT8_KNOWN = 127
#: adding this to a small float leaves the nearest integer in its low bits (ties to even)
_ROUNDING = 1.5 * 2**23
_ROUNDING_BITS = 0x4B400000


class Float32:
    """float32 LLRs in nat.

    Parameters
    ----------
    code : emit.Code   the function that is written
    width : int        vector lanes
    alpha : float      factor on check messages
    """

    element, size, integer, known = F32, 4, I32, KNOWN_LLR

    def __init__(self, code, width, alpha):
        self.code, self.b, self.alpha = code, code.b, alpha
        self.vector, self.integers = vector(self.element, width), vector(self.integer, width)

    def difference(self, a, b):
        """a - b."""
        return self.b.fsub(a, b)

    def total(self, a, b):
        """a + b."""
        return self.b.fadd(a, b)

    def magnitude(self, a):
        """Absolute value."""
        return self.code.intrinsic("fabs", a)

    def smaller(self, a, b):
        """The smaller of two magnitudes."""
        return self.b.select(self.b.fcmp_ordered("<", a, b), a, b)

    def larger(self, a, b):
        """The larger of two magnitudes."""
        return self.b.select(self.b.fcmp_ordered(">", a, b), a, b)

    def equal(self, a, b):
        """Where two magnitudes are equal."""
        return self.b.fcmp_ordered("==", a, b)

    def bits(self, a):
        """The same bits as integers; their top bit is the sign."""
        return self.b.bitcast(a, self.integers)

    def scaled(self, magnitude):
        """Check message of a magnitude, before its sign: alpha times what is left below the limit."""
        limited = self.smaller(magnitude, constant(magnitude.type, KNOWN_LLR))
        return self.b.fmul(constant(magnitude.type, self.alpha), limited)

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
    """int8 LLRs; `alpha` is rounded to eighths (see `scaled`)."""

    element, size, integer, known = I8, 1, I8, INT8_KNOWN

    def difference(self, a, b):
        """a - b, saturating."""
        return self.code.intrinsic("ssub.sat", a, b)

    def total(self, a, b):
        """a + b, saturating."""
        return self.code.intrinsic("sadd.sat", a, b)

    def magnitude(self, a):
        """Absolute value as an unsigned byte: -128 gives 128."""
        b = self.b
        return b.select(b.icmp_signed("<", a, constant(a.type, 0)), b.sub(constant(a.type, 0), a), a)

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
        """The same."""
        return a

    def scaled(self, magnitude):
        """Check message of a magnitude: alpha in binary digits, one halving average (rounded up) per digit.

        The averages round up by 3/8 of a step in the mean, so that 6/8 acts like 0.8 on small magnitudes.
        """
        eighths = min(max(round(self.alpha * 8), 1), 8)
        zero = constant(magnitude.type, 0)
        value = magnitude if eighths == 8 else zero
        started = eighths == 8
        for digit in range(0 if started else 3):
            bit = (eighths >> digit) & 1
            started = started or bool(bit)
            if started:
                value = self._average(value, magnitude if bit else zero)
        return self.smaller(value, constant(magnitude.type, INT8_MESSAGE_LIMIT))

    def _average(self, a, b):
        """(a + b + 1) / 2 of unsigned bytes; the form backends know as one instruction."""
        wide = vector(I16, a.type.count)
        total = self.b.add(self.b.add(self.b.zext(a, wide), self.b.zext(b, wide)), constant(wide, 1))
        return self.b.trunc(self.b.lshr(total, constant(wide, 1)), a.type)

    def signed(self, magnitude, signs):
        """A magnitude with its sign turned where `signs` is negative."""
        zero = constant(self.vector, 0)
        return self.b.select(self.b.icmp_signed("<", signs, zero), self.b.sub(zero, magnitude), magnitude)

    def received(self, llr):
        """Channel LLRs (float32) rounded to steps and clipped."""
        b, limit = self.b, INT8_LLR_LIMIT
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
        low, high = constant(total.type, -INT8_LLR_LIMIT), constant(total.type, INT8_LLR_LIMIT)
        total = b.select(b.icmp_signed(">", total, low), total, low)
        return b.select(b.icmp_signed("<", total, high), total, high)

    def delivered(self, value):
        """Steps as float32 LLRs in nat."""
        floats = vector(F32, value.type.count)
        return self.b.fmul(self.b.sitofp(value, floats), constant(floats, 1 / INT8_STEPS))


ARITHMETIC = {"float32": Float32, "int8": Int8}
