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
#: of LLVM's code generation, 0..3; above 1 it takes longer and is no faster to run
OPTIMISATION = 1
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
    able, features = levels(), _features()
    if level is None:
        level = able[0]
    elif level not in able:
        raise ValueError(f"{LEVEL_VARIABLE} is {level!r}, must be one of {', '.join(able)} on this processor")
    if level == "generic" and features.get("sse2"):
        return Target(level, "x86-64", "")  # nothing newer than what every 64-bit processor has
    if level == "avx2":
        features = {name: on and not name.startswith("avx512") for name, on in features.items()}
    return Target(level, llvm.get_host_cpu_name(), _flatten(features))


def levels():
    """Keys of LEVELS that this processor can do, widest first: list of str."""
    features = _features()
    return [name for name, (needed, _) in LEVELS.items() if all(features.get(feature) for feature in needed)]


def _features():
    _initialize()
    return llvm.get_host_cpu_features()


def _flatten(features):
    return ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))


def compile_object(module, target):
    """Object code (bytes) of an llvmlite.ir.Module for a Target."""
    with _LOCK:
        parsed, machine = _parse(module, target)
        return machine.emit_object(parsed)


def compile_assembly(module, target):
    """The same as text of the assembler."""
    with _LOCK:
        parsed, machine = _parse(module, target)
        return machine.emit_assembly(parsed)


def _parse(module, target):
    _initialize()
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    parsed.triple = llvm.get_process_triple()
    return parsed, _machine(target, OPTIMISATION)


def _machine(target, optimisation):
    wanted = llvm.Target.from_triple(llvm.get_process_triple())
    return wanted.create_target_machine(
        cpu=target.cpu, features=target.features, opt=optimisation, reloc="pic", codemodel="small"
    )


def load_object(code, target):
    """Engine that runs object code; keep it as long as one of its functions is in use.

    LLVM trusts the bytes: give it only what `compile_object` made.
    """
    _initialize()
    with _LOCK:
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(target, 0))
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return engine
