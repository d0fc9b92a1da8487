# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels on disk, and kernels for processors with less than this one."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from llvmlite import binding as llvm

from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_llvm import kernel_cache, kernels, target
from tokenlink.phy.ldpc_llvm.decoder import emit_decoder
from tokenlink.phy.ldpc_llvm.encoder import EncoderSpec, emit_encoder
from tokenlink.phy.ldpc_llvm.schedule import KernelSpec
from tokenlink.phy.ldpc_reference import encode_reference

CODE = ldpc.LdpcCode(20, 60, 2, 4)
SPEC = EncoderSpec(CODE.base_graph, CODE.lifting_size, CODE.rows, 4, target.host_target().vector_bytes)
BITS = np.random.default_rng(41).integers(0, 2, (3, 20), dtype=np.uint8)


def built(folder, spec=SPEC):
    """Whether a kernel came from the cache; it must work either way."""
    kernel = kernels.EncoderKernel(spec, target.host_target(), folder)
    coded = np.empty((3, 60), np.uint8)
    assert kernel.encode(BITS, coded)
    np.testing.assert_array_equal(coded, encode_reference(CODE, BITS))
    return not kernel.engine.from_cache


def entries(folder):
    return sorted(folder.iterdir())


def test_second_process_finds_the_kernel(tmp_path):
    assert built(tmp_path) and not built(tmp_path)
    assert len(entries(tmp_path)) == 1
    assert stat.S_IMODE(entries(tmp_path)[0].stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:40], lambda data: data[:-1], lambda data: data + b"x",
    lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:], lambda data: b"other program" + data,
    lambda data: b"\x7fELF" + bytes(200),
])
def test_damaged_entry_is_rebuilt(tmp_path, damage):
    built(tmp_path)
    path = entries(tmp_path)[0]
    path.write_bytes(damage(path.read_bytes()))
    assert built(tmp_path) and not built(tmp_path)


def test_entry_of_another_kernel_under_this_name_is_rebuilt(tmp_path):
    """A valid entry, but its key is not the one asked for."""
    kernel_cache.write_entry("another key", b"its code", tmp_path)
    kernel_cache.entry_path("another key", tmp_path).rename(kernel_cache.entry_path("a key", tmp_path))
    assert kernel_cache.read_entry("a key", tmp_path) is None


def test_entry_of_somebody_else_is_not_run(tmp_path, monkeypatch):
    built(tmp_path)
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert built(tmp_path)


def test_folder_that_cannot_be_written_costs_only_time(tmp_path):
    """A plain file where the folder should be: it stops root too, whom permissions do not."""
    (tmp_path / "file").write_text("")
    assert built(tmp_path / "file") and built(tmp_path / "file" / "below")
    read_only = tmp_path / "read-only"
    read_only.mkdir()
    read_only.chmod(0o500)
    assert built(read_only)
    read_only.chmod(0o700)


def test_nothing_is_left_when_writing_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert built(tmp_path) and entries(tmp_path) == []


def test_key_tells_codes_and_processors_apart():
    host = target.host_target()
    other = target.Target(host.level, host.cpu, host.features + ",-fma")
    specs = [SPEC, EncoderSpec(2, CODE.lifting_size, CODE.rows + 1, 4, SPEC.vector_bytes)]
    specs += [KernelSpec(2, 4, 5, 6, 1, "int8", 4, alpha, 64) for alpha in (0.8, 0.75)]
    assert len({kernels.kernel_key(spec, each) for spec in specs for each in (host, other)}) == 2 * len(specs)


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel_cache.cache_folder() == tmp_path / "tokenlink" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kernel_cache.cache_folder() == tmp_path / ".cache" / "tokenlink" / "kernels"


PROBE = """
import sys
from hashlib import sha256
import numpy as np
from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_llvm import target
assert target.host_target().level == sys.argv[1]
code = ldpc.LdpcCode(100, 250)
rng = np.random.default_rng(42)
bits = rng.integers(0, 2, (70, 100), dtype=np.uint8)
llr = 3 * (1 - 2.0 * ldpc.encode(code, bits)) + 2.4 * rng.standard_normal((70, 250))
llr[::5] *= 10
prior = rng.normal(0, 3, (70, 100)).astype(np.float32)
for precision in ("float32", "int8"):
    for blocks in (1, 2, 5, 12, 70):
        for early_stop in (True, False):
            for prior_llr in (None, prior[:blocks]):
                result = ldpc.decode(code, llr[:blocks].astype(np.float32), 9, precision=precision,
                                     early_stop=early_stop, prior_llr=prior_llr)
                print(precision, blocks, early_stop, *(sha256(field.tobytes()).hexdigest() for field in result[:3]))
"""


def test_every_register_width_gives_the_same_bits(tmp_path):
    """Held to SSE2 and AVX2 by the environment, as on a processor without AVX-512 or without AVX."""
    outputs = set()
    for level in target.levels():
        env = os.environ | {"TOKENLINK_SIMD": level, "XDG_CACHE_HOME": str(tmp_path)}
        command = [sys.executable, "-c", PROBE, level]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1 and len(target.levels()) > 1


def test_code_held_to_sse_has_no_wider_instruction():
    host = target.host_target("generic")
    module = emit_encoder(EncoderSpec(2, 4, 5, 4, host.vector_bytes))
    assembly = target.compile_assembly(module, host)
    assert "%xmm" in assembly and "%ymm" not in assembly and "%zmm" not in assembly


def test_unknown_register_width_is_named(monkeypatch):
    monkeypatch.setenv("TOKENLINK_SIMD", "mmx")
    with pytest.raises(ValueError, match="TOKENLINK_SIMD is 'mmx', must be one of .*generic on this processor"):
        target.host_target()


@pytest.mark.parametrize("lanes", [4, 16])
def test_kernels_compile_for_another_architecture(lanes):
    """AArch64, where this build of LLVM has it: one instruction for saturating sum and for halving average."""
    target.host_target()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        arm = llvm.Target.from_triple("aarch64-linux-gnu")
    except RuntimeError:
        pytest.skip("LLVM without AArch64")
    parsed = llvm.parse_assembly(str(emit_decoder(KernelSpec(2, 4, 5, 6, lanes, "int8", 4, 0.8, 16))))
    parsed.triple = "aarch64-linux-gnu"
    assembly = arm.create_target_machine(opt=1, reloc="pic", codemodel="small").emit_assembly(parsed)
    assert "sqadd" in assembly
    assert "urhadd" in assembly or llvm.llvm_version_info[0] < 15  # LLVM 14 has no pattern for it and adds in wide ones
