# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole decoder as one function: blocks go through lanes until all are done."""

from dataclasses import dataclass

from llvmlite import ir

from tokenlink.phy.ldpc_llvm.arithmetic import ARITHMETIC
from tokenlink.phy.ldpc_llvm.emit import BIT, BYTES, I64, Code, constant
from tokenlink.phy.ldpc_llvm.layers import emit_extend, emit_iteration
from tokenlink.phy.ldpc_llvm.layout import Layout
from tokenlink.phy.ldpc_llvm.load import emit_load_lanes, fill_pattern
from tokenlink.phy.ldpc_llvm.parity import emit_check_parity
from tokenlink.phy.ldpc_llvm.receive import emit_receive
from tokenlink.phy.ldpc_llvm.store import emit_store_lanes


@dataclass(frozen=True)
class Block:
    """A block to decode as the kernel finds it in memory: seven int64, offsets in bytes.

    Addresses of its LLRs, of its output and of the prior LLRs of its info bits (0: none), all float32; its coded bits,
    check rows of its own code; results: iterations, and 1 if all parity checks hold, else 0.
    """

    llr: int = 0
    output: int = 8
    prior: int = 16
    coded_bits: int = 24
    rows: int = 32
    iterations: int = 40
    parity: int = 48
    size: int = 56


BLOCK = Block()


def workspace_bytes(spec):
    """Bytes of workspace a kernel needs; aligned to 64, and zero before the first call."""
    return layout_of(spec).total


def layout_of(spec):
    """Where a kernel keeps its numbers: Layout."""
    kind = ARITHMETIC[spec.precision]
    return Layout(spec, kind.size, kind.total_size)


def emit_decoder(spec):
    """LLVM module with the function decode(workspace, received, blocks, count, info_bits, max_iterations, early).

    `received` is scratch for the longest block's coded bits, `blocks` an array of Block, the rest are int64. With
    `early` 0, and always if lanes are separate, every block takes max_iterations. Returns, as int64, how many blocks
    hold a NaN; their results mean nothing.

    Notes
    -----
    A lane that has finished waits, computing nothing of use, until a quarter of the lanes have: loading one or all
    costs the same.
    """
    module = ir.Module("ldpc_decoder")
    kind = ARITHMETIC[spec.precision]
    layout = layout_of(spec)

    def arithmetic(code):
        return kind(code, layout.width, spec.alpha, layout.separate)

    receive = emit_receive(module, layout, arithmetic)
    iteration = emit_iteration(module, layout, arithmetic)
    extend = emit_extend(module, layout, arithmetic)
    check_parity = emit_check_parity(module, layout, arithmetic)
    load_lanes = emit_load_lanes(module, layout, arithmetic)
    store_lanes = emit_store_lanes(module, layout, arithmetic, BLOCK)

    names = ("count", "info_bits", "max_iterations", "early")
    arguments = dict.fromkeys(("workspace", "received", "blocks"), BYTES) | dict.fromkeys(names, I64)
    c = Code(module, "decode", arguments, result=I64, public=True)
    math = arithmetic(c)
    lanes = _Lanes(c, math, layout)
    lanes.clear()
    with c.repeat() as done:
        lanes.refill(receive, load_lanes)
        c.leave_when(lanes.all_idle(), done)
        tracked = lanes.count_iteration()
        c.b.call(iteration, [c.workspace, tracked])
        with c.when(tracked):
            c.b.call(extend, [c.workspace])
            c.b.call(check_parity, [c.workspace])
            with c.when(lanes.finish()):
                c.b.call(store_lanes, [c.workspace, c.blocks, c.info_bits])
    c.b.ret(lanes.blocks_with_nan())
    return module


class _Lanes:
    """Which block each lane holds and how far it is; the state lies in the workspace."""

    def __init__(self, code, math, layout):
        self.c, self.math, self.layout = code, math, layout
        self.lanes = layout.spec.lanes
        never = constant(BIT, 0)
        self._early = never if layout.separate else code.b.icmp_signed("!=", code.early, constant(I64, 0))
        self._next, self._nan, self._count_busy, self._may_finish = (code.b.alloca(I64) for _ in range(4))

    def _get(self, field, lane):
        return self.c.load(I64, self.c.workspace, field, self.c.times(lane, 8), align=8)

    def _set(self, field, lane, value):
        value = constant(I64, value) if isinstance(value, int) else value
        self.c.store(value, self.c.workspace, field, self.c.times(lane, 8), align=8)

    def _pattern(self, field, lane, value):
        value = constant(self.math.integer, value) if isinstance(value, int) else value
        fill_pattern(self.c, self.math, self.layout, field, lane, value)

    def _is(self, value, number):
        return self.c.b.icmp_signed("==", value, constant(I64, number))

    def clear(self):
        """No lane holds a block, the next block is the first."""
        layout, c = self.layout, self.c
        for variable in (self._next, self._nan, self._count_busy):
            c.b.store(constant(I64, 0), variable)
        with c.loop(self.lanes) as lane:
            for field in (layout.block, layout.busy, layout.finished):
                self._set(field, lane, 0)
            self._pattern(layout.idle, lane, -1)
            self._pattern(layout.own_rows, lane, 0)

    def blocks_with_nan(self):
        """i64: how many blocks so far held a NaN."""
        return self.c.b.load(self._nan)

    def _more_busy(self, change):
        self.c.b.store(self.c.sum(self.c.b.load(self._count_busy), change), self._count_busy)

    def all_idle(self):
        """i1: no lane decodes."""
        return self._is(self.c.b.load(self._count_busy), 0)

    def refill(self, receive, load_lanes):
        """Give blocks to idle lanes, if there are blocks and at least a quarter of the lanes are idle."""
        layout, c = self.layout, self.c
        waiting = c.b.icmp_signed("<", c.b.load(self._next), c.count)
        roomy = c.b.icmp_signed("<=", c.b.load(self._count_busy), constant(I64, 3 * self.lanes // 4))
        with c.when(c.b.and_(waiting, roomy)):
            with c.loop(self.lanes) as lane:
                self._pattern(layout.fresh, lane, 0)
                following = c.b.load(self._next)
                idle = self._is(self._get(layout.busy, lane), 0)
                with c.when(c.b.and_(idle, c.b.icmp_signed("<", following, c.count))):
                    self._start(lane, following, receive)
            c.b.call(load_lanes, [c.workspace])

    def _start(self, lane, number, receive):
        layout, c = self.layout, self.c
        c.b.store(c.sum(number, 1), self._next)
        self._more_busy(1)
        block = c.times(number, BLOCK.size)
        llr, prior, coded_bits, rows = (c.load(I64, c.blocks, block, offset, align=8)
                                        for offset in (BLOCK.llr, BLOCK.prior, BLOCK.coded_bits, BLOCK.rows))
        codeword = c.address(c.workspace, layout.codewords, c.times(lane, layout.codeword_stride))
        has_nan = c.b.call(receive, [c.pointer(llr), c.received, prior, codeword, coded_bits, c.info_bits])
        c.b.store(c.sum(c.b.load(self._nan), c.b.zext(has_nan, I64)), self._nan)
        for field, value in ((layout.block, number), (layout.done, 0), (layout.busy, 1)):
            self._set(field, lane, value)
        self._pattern(layout.fresh, lane, -1)
        self._pattern(layout.idle, lane, 0)
        short = self.math.integer
        self._pattern(layout.own_rows, lane, c.b.trunc(rows, short))

    def count_iteration(self):
        """One more iteration for every lane; i1: one of them may finish with it."""
        layout, c = self.layout, self.c
        c.b.store(c.b.zext(self._early, I64), self._may_finish)
        with c.loop(self.lanes) as lane:
            done = c.sum(self._get(layout.done, lane), 1)
            self._set(layout.done, lane, done)
            last = c.b.zext(c.b.icmp_signed("==", done, c.max_iterations), I64)
            c.b.store(c.b.or_(c.b.load(self._may_finish), last), self._may_finish)
        return c.b.icmp_signed("!=", c.b.load(self._may_finish), constant(I64, 0))

    def finish(self):
        """Mark the lanes that are done and note their results; i1: there are any."""
        layout, c, b = self.layout, self.c, self.c.b
        some = c.variable(BIT)
        b.store(constant(BIT, 0), some)
        with c.loop(self.lanes) as lane:
            failed = c.load(self.math.integer, c.workspace, layout.failed, c.times(lane, self.math.size))
            holds = b.icmp_signed("==", failed, constant(self.math.integer, 0))
            done = self._get(layout.done, lane)
            stops = b.or_(b.icmp_signed(">=", done, c.max_iterations),
                          b.and_(holds, self._early))
            finished = b.and_(stops, b.icmp_signed("!=", self._get(layout.busy, lane), constant(I64, 0)))
            self._set(layout.finished, lane, b.zext(finished, I64))
            with c.when(finished):
                b.store(constant(BIT, 1), some)
                self._report(lane, done, holds)
        return b.load(some)

    def _report(self, lane, done, holds):
        layout, c, b = self.layout, self.c, self.c.b
        block = c.times(self._get(layout.block, lane), BLOCK.size)
        c.store(done, c.blocks, block, BLOCK.iterations, align=8)
        c.store(b.zext(holds, I64), c.blocks, block, BLOCK.parity, align=8)
        self._more_busy(-1)
        self._set(layout.busy, lane, 0)
        self._pattern(layout.idle, lane, -1)
