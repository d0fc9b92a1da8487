# SPDX-License-Identifier: GPL-3.0-or-later
"""LLR arithmetic of the decoder in float32."""

from tokenlink.phy.ldpc_llvm.emit import F32, I32, constant, vector

#: channel LLRs are clipped to this; known zeros (filler bits) and check messages are held to KNOWN_LLR
LLR_LIMIT = 1e3
KNOWN_LLR = 1e4


class Float32:
    """float32 LLRs in nat.

    Parameters
    ----------
    code : emit.Code   the function that is written
    width : int        vector lanes
    alpha : float      factor on check messages
    separate : bool    every lane has a block of its own: their order is free
    """

    element, size, integer, known = F32, 4, I32, KNOWN_LLR
    total_element, total_size = F32, 4

    def __init__(self, code, width, alpha, separate):
        self.code, self.b, self.alpha, self.width, self._separate = code, code.b, alpha, width, separate
        self.parts = self.total_size // self.size
        self.vector, self.integers = vector(self.element, width), vector(self.integer, width)
        self.totals = vector(self.total_element, width // self.parts)

    @property
    def order(self):
        """Which element of a column each lane of a register of messages belongs to."""
        return range(self.width)

    def lanes_of(self, part, count):
        """Which of `count` lanes have their totals in a part."""
        return range(count)

    def widened(self, received, known=True):
        """Totals of received LLRs (any vector length): list of `parts` vectors; `known`: filler bits are among them."""
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

    def scaled(self, magnitude, may_exceed=True):
        """Check message of a magnitude, before its sign: alpha times what is left below the limit.

        `may_exceed` is False if a channel LLR is no smaller.
        """
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
