# SPDX-License-Identifier: GPL-3.0-or-later
"""Page faults, as the kernel counts them, of a process that makes and drops a large array again and again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[3] / "python"
ROUNDS, PAGES = 50, 4 << 20 >> 12
CHURN = f"""
import resource
import sys

import numpy as np

if "keep" in sys.argv:
    from tokenlink.process.memory import keep_memory
    keep_memory()

def churn(rounds):
    for _ in range(rounds):
        large = [np.ones(1 << 20, np.float32) for _ in range(3)]
        del large

churn(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
if "child" in sys.argv:
    import subprocess
    print(subprocess.run([sys.executable, "-c", {{source!r}}], capture_output=True, text=True, check=True).stdout)
else:
    churn({ROUNDS})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*words, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    plain = CHURN.replace("{source!r}", "''")
    source = CHURN.replace("{source!r}", repr(plain))
    done = subprocess.run(
        [sys.executable, "-c", source, *words], capture_output=True, text=True, check=True, timeout=300,
        env=environment | {"PYTHONPATH": str(LIBRARY), "NUMPY_MADVISE_HUGEPAGE": "0"} | variables)  # fmt: skip
    return int(done.stdout)


def test_what_is_freed_is_taken_again_without_a_fault():
    assert faults() > ROUNDS * PAGES  # else this C library keeps memory anyway, and the module is for nothing
    assert faults("keep") < PAGES


def test_processes_started_later_keep_theirs():
    assert faults("child") > ROUNDS * PAGES
    assert faults("keep", "child") < PAGES


@pytest.mark.parametrize("variable", ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"])
def test_what_the_user_set_stays(variable):
    """With 64 KiB for either bound, blocks of 4 MiB go back to the kernel."""
    assert faults("keep", **{variable: "65536"}) > ROUNDS * PAGES
