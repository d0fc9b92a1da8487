# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels by specification: from memory, from the disk cache, or newly compiled."""

import ctypes
import hashlib
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np

from tokenlink.phy import nr_tables
from tokenlink.phy.ldpc_llvm import cache, target
from tokenlink.phy.ldpc_llvm.decoder import emit_decoder, workspace_bytes
from tokenlink.phy.ldpc_llvm.schedule import ALIGNMENT, KernelSpec

_LOCK = threading.RLock()
_KERNELS = {}
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


def aligned_zeros(size):
    """uint8 [size] zeros that start at a multiple of 64 bytes."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


@lru_cache(maxsize=1)
def _generator_digest():
    """What kernels are made from: the sources of this package and the code tables."""
    digest = hashlib.sha256()
    tables = sorted((Path(nr_tables.__file__).parent / "tables").glob("*.csv"))
    for path in [*sorted(Path(__file__).parent.glob("*.py")), Path(nr_tables.__file__), *tables]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


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
        key = f"{spec!r} {_generator_digest()} {host.name}"
        code = cache.read_entry(key, folder)
        self.from_cache = code is not None
        self._engine = None
        if self.from_cache:
            try:
                self._engine = target.load_object(code, host)
            except RuntimeError:
                self.from_cache = False
        if self._engine is None:
            code = target.compile_object(emit(spec), host)
            cache.write_entry(key, code, folder)
            self._engine = target.load_object(code, host)

    def function(self, name, *types):
        """C function of the kernel, int64 from `types`, as a ctypes callable; other Python threads run meanwhile."""
        address = self._engine.get_function_address(name)
        if not address:
            raise RuntimeError(f"kernel has no function {name}")
        return ctypes.CFUNCTYPE(_NUMBER, *types)(address)


class DecoderKernel:
    """A decoder for one mother code, with a workspace per thread.

    Parameters
    ----------
    spec : KernelSpec
    host : target.Target
    folder : path or None   of the cache; None: the user's
    """

    def __init__(self, spec, host, folder=None):
        self.spec = spec
        self.engine = Engine(spec, emit_decoder, host, folder)
        self._decode = self.engine.function("decode", *[_POINTER] * 3, *[_NUMBER] * 4)
        self._workspace_bytes = workspace_bytes(spec)
        self._local = threading.local()

    def _buffers(self, coded_bits):
        local = self._local
        if not hasattr(local, "workspace"):
            local.workspace = aligned_zeros(self._workspace_bytes)
            local.workspace_address = local.workspace.ctypes.data
            local.longest = 0
        if local.longest < coded_bits:
            local.received = aligned_zeros(4 * coded_bits + 2 * ALIGNMENT)
            local.received_address, local.longest = local.received.ctypes.data, coded_bits
        return local.workspace_address, local.received_address

    def decode(self, blocks, info_bits, longest, max_iterations, early):
        """Decode the blocks of an int64 [B, 6] array as `decoder.Block` describes them; results go into it.

        Returns how many blocks hold NaN.
        """
        workspace, received = self._buffers(longest)
        address = blocks.__array_interface__["data"][0]
        return self._decode(workspace, received, address, len(blocks), info_bits, max_iterations, early)


def decoder_kernel(base_graph, lifting_size, rows, lanes, precision, bits_per_symbol, alpha, level=None):
    """The kernel of these properties (see `schedule.KernelSpec`), compiled at the first call."""
    name = (base_graph, lifting_size, rows, lanes, precision, bits_per_symbol, alpha, level)
    kernel = _KERNELS.get(name)
    if kernel is None:
        with _LOCK:
            kernel = _KERNELS.get(name)
            if kernel is None:
                host = target.host_target(level)
                size = {"float32": 4, "int8": 1}[precision]
                lanes = min(lanes, host.vector_bytes // size)
                spec = KernelSpec(base_graph, lifting_size, rows, lanes, precision, bits_per_symbol, alpha,
                                  host.vector_bytes)
                kernel = _KERNELS[name] = DecoderKernel(spec, host)
    return kernel
