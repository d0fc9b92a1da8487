# SPDX-License-Identifier: GPL-3.0-or-later
"""For which processor kernels are written, and object code for it."""

import os
import threading
from dataclasses import dataclass
from functools import lru_cache

import llvmlite
from llvmlite import binding as llvm

#: name -> (features that must be there, register width in bytes), best first; the last is for every processor
LEVELS = {"avx512": (("avx512f", "avx512bw", "avx512vl"), 64), "avx2": (("avx2",), 32), "generic": ((), 16)}
LEVEL_VARIABLE = "TOKENLINK_SIMD"
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Target:
    """A processor to write code for.

    Attributes
    ----------
    level : str          a key of LEVELS
    cpu, features : str  as LLVM names them
    """

    level: str
    cpu: str
    features: str

    @property
    def vector_bytes(self):
        return LEVELS[self.level][1]

    @property
    def name(self):
        """All that decides which machine code comes out: processor and compiler."""
        version = ".".join(map(str, llvm.llvm_version_info))
        triple = llvm.get_process_triple()
        return f"{triple} {self.cpu} {self.features} {self.level} llvmlite {llvmlite.__version__} llvm {version}"


@lru_cache(maxsize=1)
def _initialize():
    try:
        llvm.initialize()
    except RuntimeError:  # newer llvmlite does it itself
        pass
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def host_target(level=None):
    """The processor this runs on.

    Parameters
    ----------
    level : str or None   a key of LEVELS to hold the registers to; None: the environment's TOKENLINK_SIMD, else
                          the widest there is

    Raises
    ------
    ValueError   no such level, or the processor cannot do it
    """
    return _host_target(level or os.environ.get(LEVEL_VARIABLE) or None)


@lru_cache(maxsize=8)
def _host_target(level):
    _initialize()
    features = llvm.get_host_cpu_features()
    able = [name for name, (needed, _) in LEVELS.items() if all(features.get(f) for f in needed)]
    if level is None:
        level = able[0]
    elif level not in able:
        raise ValueError(f"{LEVEL_VARIABLE} is {level!r}, must be one of {', '.join(able)} on this processor")
    if level == "generic" and features.get("sse2"):
        return Target(level, "x86-64", "")  # nothing newer than what every 64-bit processor has
    if level == "avx2":
        features = {name: on and not name.startswith("avx512") for name, on in features.items()}
        return Target(level, llvm.get_host_cpu_name(), _flatten(features))
    return Target(level, llvm.get_host_cpu_name(), _flatten(features))


def _flatten(features):
    return ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))


def compile_object(module, target, optimisation=1):
    """Object code (bytes) of an llvmlite.ir.Module for a Target."""
    _initialize()
    with _LOCK:
        parsed = llvm.parse_assembly(str(module))
        parsed.verify()
        triple = llvm.get_process_triple()
        machine = llvm.Target.from_triple(triple).create_target_machine(
            cpu=target.cpu, features=target.features, opt=optimisation, reloc="pic", codemodel="small"
        )
        parsed.triple = triple
        return machine.emit_object(parsed)


def load_object(code, target):
    """Engine that runs object code; keep it as long as one of its functions is in use.

    Raises
    ------
    RuntimeError   the bytes are no object file
    """
    _initialize()
    with _LOCK:
        machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            cpu=target.cpu, features=target.features, opt=0
        )
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return engine
