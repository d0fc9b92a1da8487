# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels by specification: from memory, from the disk cache, or newly compiled."""

import ctypes
import hashlib
import threading
from functools import lru_cache, partial
from pathlib import Path

from tokenlink.phy import nr_tables
from tokenlink.phy.ldpc_llvm import kernel_cache, target
from tokenlink.phy.ldpc_llvm.arithmetic import ARITHMETIC
from tokenlink.phy.ldpc_llvm.decoder import emit_decoder, workspace_bytes
from tokenlink.phy.ldpc_llvm.encoder import EncoderLayout, EncoderSpec, emit_encoder
from tokenlink.phy.ldpc_llvm.schedule import KernelSpec
from tokenlink.phy.ldpc_llvm.workspace import Pool, Workspace

_LOCK = threading.RLock()
_KERNELS = {}
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


@lru_cache(maxsize=1)
def _generator_digest():
    """What kernels are made from: the sources of this package and the code tables."""
    digest = hashlib.sha256()
    tables = sorted((Path(nr_tables.__file__).parent / "tables").glob("*.csv"))
    for path in [*sorted(Path(__file__).parent.glob("*.py")), Path(nr_tables.__file__), *tables]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def kernel_key(spec, host):
    """Name of a kernel in the cache: what it is, what made it, and what it was made for."""
    return f"{spec!r} {_generator_digest()} {host.name}"


class Engine:
    """Compiled object code of a kernel.

    Parameters
    ----------
    spec : KernelSpec or EncoderSpec
    emit : callable   spec -> llvmlite.ir.Module, called only if the cache has nothing
    host : target.Target
    folder : path or None   of the cache; None: the user's

    Attributes
    ----------
    from_cache : bool   nothing was compiled
    """

    def __init__(self, spec, emit, host, folder=None):
        key = kernel_key(spec, host)
        code = kernel_cache.read_entry(key, folder)
        self.from_cache = code is not None
        if code is None:
            code = target.compile_object(emit(spec), host)
            kernel_cache.write_entry(key, code, folder)
        self._engine = target.load_object(code, host)

    def function(self, name, *types):
        """C function of the kernel, int64 from `types`, as a ctypes callable; other Python threads run meanwhile."""
        address = self._engine.get_function_address(name)
        if not address:
            raise RuntimeError(f"kernel has no function {name}")
        return ctypes.CFUNCTYPE(_NUMBER, *types)(address)


class _Kernel:
    """A compiled function, and a workspace for each call that runs at once."""

    def __init__(self, engine, name, pointers, numbers, workspace_size):
        self.engine = engine
        self._function = engine.function(name, *[_POINTER] * pointers, *[_NUMBER] * numbers)
        self._workspaces = Pool(partial(Workspace, workspace_size))

    def _call(self, scratch, *arguments):
        workspace = self._workspaces.take().with_scratch(scratch)
        try:
            return self._function(workspace.address, workspace.scratch_address, *arguments)
        finally:
            self._workspaces.give(workspace)


class DecoderKernel(_Kernel):
    """A decoder for one mother code.

    Parameters
    ----------
    spec : KernelSpec
    host : target.Target
    folder : path or None   of the cache; None: the user's
    """

    def __init__(self, spec, host, folder=None):
        super().__init__(Engine(spec, emit_decoder, host, folder), "decode", 3, 4, workspace_bytes(spec))

    def decode(self, blocks, count, info_bits, longest, max_iterations, early):
        """Decode the blocks of an int64 [count, 7] array at an address, as `decoder.Block` describes them.

        Results go into it. Returns how many blocks hold NaN.
        """
        return self._call(4 * longest, blocks, count, info_bits, max_iterations, early)


class EncoderKernel(_Kernel):
    """An encoder for one mother code; parameters as for DecoderKernel, with an EncoderSpec."""

    def __init__(self, spec, host, folder=None):
        super().__init__(Engine(spec, emit_encoder, host, folder), "encode", 4, 3, EncoderLayout(spec).total)

    def encode(self, info_bits, coded_bits):
        """Encode uint8 [B, k] into uint8 [B, n], both C-contiguous; returns whether all info bits were 0 or 1."""
        (count, k), n = info_bits.shape, coded_bits.shape[1]
        return not self._call(n, info_bits.ctypes.data, coded_bits.ctypes.data, count, k, n)


def register_lanes(precision, level=None):
    """Lanes of a register of check messages on this processor."""
    return target.host_target(level).vector_bytes // ARITHMETIC[precision].size


def decoder_kernel(code, lanes, precision, alpha, level=None):
    """The decoder for an LdpcCode and all punctured from it, see `schedule.KernelSpec`; compiled at the first call."""
    host = target.host_target(level)
    spec = KernelSpec(code.base_graph, code.lifting_size, code.rows, -(-code.k // code.lifting_size), lanes, precision,
                      code.bits_per_symbol, alpha, host.vector_bytes)
    return _kept(spec, host, DecoderKernel)


@lru_cache(maxsize=256)
def encoder_kernel(base_graph, lifting_size, rows, bits_per_symbol, level=None):
    """The encoder of these properties (see `encoder.EncoderSpec`), compiled at the first call."""
    host = target.host_target(level)
    return _kept(EncoderSpec(base_graph, lifting_size, rows, bits_per_symbol, host.vector_bytes), host, EncoderKernel)


def _kept(spec, host, kind):
    with _LOCK:
        if (spec, host) not in _KERNELS:
            _KERNELS[spec, host] = kind(spec, host)
        return _KERNELS[spec, host]
