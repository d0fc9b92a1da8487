# SPDX-License-Identifier: GPL-3.0-or-later
"""Small helpers to write LLVM functions: byte addresses, loops, conditions and vectors.

Only what both llvmlite 0.40 (LLVM 14) and 0.44 (LLVM 15) know is used, and no pass over the IR is run: loops are
written as they shall run, and names that change stay in memory.
"""

from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from llvmlite import ir

VOID = ir.VoidType()
BIT, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F32 = ir.FloatType()
BYTES = I8.as_pointer()


def vector(element, count):
    """Vector type of `count` elements."""
    return ir.VectorType(element, count)


def constant(type_, value):
    """A constant; for a vector type one value for all elements or a list of values."""
    return _constant(type_, tuple(value) if isinstance(value, list | range) else value)


@lru_cache(maxsize=1024)
def _constant(type_, value):
    if isinstance(type_, ir.VectorType):
        values = value if isinstance(value, tuple) else [value] * type_.count
        return ir.Constant(type_, [ir.Constant(type_.element, v) for v in values])
    return ir.Constant(type_, value)


class Code:
    """One function while it is written; attribute `b` is llvmlite's IRBuilder, arguments are attributes by name.

    Parameters
    ----------
    module : llvmlite.ir.Module
    name : str
    arguments : dict name -> type
    result : type
    public : bool   visible outside the module
    """

    def __init__(self, module, name, arguments, result=VOID, public=False):
        self.module = module
        self.function = ir.Function(module, ir.FunctionType(result, list(arguments.values())), name)
        self.function.linkage = "external" if public else "internal"
        self.function.attributes.add("nounwind")
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        for argument, title in zip(self.function.args, arguments, strict=True):
            argument.name = title
            if argument.type == BYTES:
                argument.add_attribute("noalias")
            setattr(self, title, argument)

    def sum(self, *terms):
        """Sum of Python integers and i64 values, as i64."""
        known = sum(t for t in terms if isinstance(t, int))
        total = None
        for term in (t for t in terms if not isinstance(t, int)):
            total = term if total is None else self.b.add(total, term)
        if total is None:
            return constant(I64, known)
        return self.b.add(total, constant(I64, known)) if known else total

    def times(self, value, factor):
        """An i64 value times a Python integer or another i64 value."""
        if factor == 1:
            return value
        return self.b.mul(value, constant(I64, factor) if isinstance(factor, int) else factor)

    def address(self, base, *offsets):
        """Byte pointer at base plus offsets: Python integers and i64 values, in bytes."""
        return self.b.gep(base, [self.sum(*offsets)])

    def load(self, type_, base, *offsets, align=1):
        """Value of a type at a byte address."""
        return self.b.load(self.b.bitcast(self.address(base, *offsets), type_.as_pointer()), align=align)

    def store(self, value, base, *offsets, align=1):
        """Put a value at a byte address."""
        self.b.store(value, self.b.bitcast(self.address(base, *offsets), value.type.as_pointer()), align=align)

    def variable(self, type_):
        """Memory for one value, taken once on entry to the function."""
        with self.b.goto_entry_block():
            return self.b.alloca(type_)

    def table(self, name, values, kind="int64"):
        """Constant array of the module, the one of this name if there is one; returns its byte pointer."""
        data = self.module.globals.get(name)
        if data is None:
            content = bytearray(np.array(values, kind).tobytes())
            data = ir.GlobalVariable(self.module, ir.ArrayType(I8, len(content)), name)
            data.initializer = ir.Constant(data.type.pointee, content)
            data.global_constant, data.linkage, data.align = True, "internal", 8
        return self.b.bitcast(data, BYTES)

    def pointer(self, number):
        """Byte pointer from an i64 address."""
        return self.b.inttoptr(number, BYTES)

    @contextmanager
    def loop(self, stop, step=1, start=0):
        """Body runs for i64 indices start, start + step, ... below stop, each a Python integer or an i64 value."""
        first, last = self.sum(start), self.sum(stop)
        before = self.b.block
        body, after = self.b.append_basic_block("loop"), self.b.append_basic_block("after")
        if isinstance(start, int) and isinstance(stop, int) and start < stop:
            self.b.branch(body)
        else:
            self.b.cbranch(self.b.icmp_signed("<", first, last), body, after)
        self.b.position_at_end(body)
        index = self.b.phi(I64)
        index.add_incoming(first, before)
        yield index
        following = self.sum(index, step)
        index.add_incoming(following, self.b.block)
        self.b.cbranch(self.b.icmp_signed("<", following, last), body, after)
        self.b.position_at_end(after)

    def overlapped(self, count, read, write):
        """For i from 0 up to count, a Python integer: write(i, read(i)), but read(i + 1) comes before write(i).

        `read` and `write` take an i64; what read gives is a list of values.
        """
        held = read(constant(I64, 0))
        if count > 1:
            before, body = self.b.block, self.b.append_basic_block("overlapped")
            self.b.branch(body)
            self.b.position_at_end(body)
            phis = [self.b.phi(type_) for type_ in (I64, *(value.type for value in held))]
            following = read(phis[0])
            write(self.sum(phis[0], -1), phis[1:])
            again = [self.sum(phis[0], 1), *following]
            for phi, start, value in zip(phis, [constant(I64, 1), *held], again, strict=True):
                phi.add_incoming(start, before)
                phi.add_incoming(value, self.b.block)
            after = self.b.append_basic_block("after")
            self.b.cbranch(self.b.icmp_signed("<", again[0], constant(I64, count)), body, after)
            self.b.position_at_end(after)
            held = following
        write(constant(I64, count - 1), held)

    @contextmanager
    def repeat(self):
        """Body runs for ever; yields the block to branch to for leaving."""
        body, after = self.b.append_basic_block("again"), self.b.append_basic_block("left")
        self.b.branch(body)
        self.b.position_at_end(body)
        yield after
        self.b.branch(body)
        self.b.position_at_end(after)

    @contextmanager
    def when(self, condition):
        """Body runs if an i1 value holds."""
        with self.b.if_then(condition):
            yield

    def leave_when(self, condition, target):
        """Branch to a block if an i1 value holds."""
        rest = self.b.append_basic_block("rest")
        self.b.cbranch(condition, target, rest)
        self.b.position_at_end(rest)

    def any_set(self, flags):
        """i1: one of a vector of i1 is set."""
        bits = ir.IntType(flags.type.count)
        return self.b.icmp_unsigned("!=", self.b.bitcast(flags, bits), constant(bits, 0))

    def smaller(self, left, right):
        """The smaller of two i64 values."""
        return self.b.select(self.b.icmp_signed("<", left, right), left, right)

    def intrinsic(self, name, *arguments, result=None):
        """Call of an LLVM intrinsic overloaded on its result, by default the type of its first argument."""
        result = arguments[0].type if result is None else result
        count, element = (result.count, result.element) if isinstance(result, ir.VectorType) else (None, result)
        short = "f32" if element == F32 else str(element)
        return self.call(f"llvm.{name}.{short if count is None else f'v{count}{short}'}", result, *arguments)

    def call(self, name, result, *arguments):
        """Call of an LLVM intrinsic by its full name."""
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self.b.call(function, arguments)

    def unrelated(self, value, register_bytes):
        """The same vector, of which the compiler does not know that; on processors other than x86 just the same."""
        kind = {64: "v", 32: "x"}.get(register_bytes)
        if kind is None:
            return value
        return self.b.asm(ir.FunctionType(value.type, [value.type]), "", f"={kind},0", [value], False)

    def shuffle(self, left, right, order):
        """Elements of two vectors of one type (right may be None) picked by Python indices."""
        right = ir.Constant(left.type, ir.Undefined) if right is None else right
        return self.b.shuffle_vector(left, right, constant(vector(I32, len(order)), tuple(order)))

    def first_elements(self, width, count):
        """Mask of a vector's first elements: <width x i1>, set below `count`, an i64 from 0 to width."""
        short = vector(I8, width)
        low = self.b.insert_element(ir.Constant(short, ir.Undefined), self.b.trunc(count, I8), constant(I32, 0))
        return self.b.icmp_unsigned("<", constant(short, range(width)), self.shuffle(low, None, [0] * width))

    def weave(self, parts):
        """As `interleave` for any number of parts."""
        count, size = len(parts), parts[0].type.count
        missing = (1 << (count - 1).bit_length()) - count
        woven = self.interleave([*parts, *[ir.Constant(parts[0].type, ir.Undefined)] * missing])
        if not missing:
            return woven
        return self.shuffle(woven, None, [i * (count + missing) + c for i in range(size) for c in range(count)])

    def interleave(self, parts):
        """One vector with element i of part c at i * len(parts) + c; the number of parts is a power of two."""
        while len(parts) > 1:
            size, half = parts[0].type.count, len(parts) // 2
            order = [index for i in range(size) for index in (i, size + i)]
            parts = [self.shuffle(parts[c], parts[c + half], order) for c in range(half)]
        return parts[0]

    def pieces(self, value, count):
        """A vector cut into `count` equal pieces."""
        size = value.type.count // count
        return [self.shuffle(value, None, range(i * size, (i + 1) * size)) if count > 1 else value
                for i in range(count)]

    def joined(self, parts):
        """Vectors one behind the other; the number of parts is a power of two."""
        while len(parts) > 1:
            order = range(2 * parts[0].type.count)
            parts = [self.shuffle(*pair, order) for pair in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def transposed(self, rows):
        """Squares turned round, which lie side by side in n vectors of a multiple of n elements, n a power of two."""
        size, width = len(rows), rows[0].type.count
        low, high = ([start + i + offset for start in range(0, width, size) for i in range(half, half + size // 2)
                      for offset in (0, width)] for half in (0, size // 2))
        for _ in range(size.bit_length() - 1):
            pairs = [(rows[i], rows[i + size // 2]) for i in range(size // 2)]
            rows = [self.shuffle(a, b, order) for a, b in pairs for order in (low, high)]
        return rows

    def split(self, value, count):
        """The inverse of `interleave`: `count` vectors, a power of two."""
        if count == 1:
            return [value]
        even, odd = (self.shuffle(value, None, range(start, value.type.count, 2)) for start in (0, 1))
        parts = [None] * count
        parts[0::2], parts[1::2] = self.split(even, count // 2), self.split(odd, count // 2)
        return parts
