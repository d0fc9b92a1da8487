# SPDX-License-Identifier: GPL-3.0-or-later
"""Make requirements.txt from requirements.in: ``python tests/distributions/lock.py``, with uv on PATH or installed.

One version of every package for every Python of the distributions, beside the numpy of each distribution. Then each of
them is resolved by itself, on x86-64 and on 64-bit ARM, from wheels alone: nobody has to compile anything.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from distributions import DISTRIBUTIONS, NOT_BOOTSTRAPPED

ROOT = Path(__file__).resolve().parents[2]
WANTED, PINNED = ROOT / "requirements.in", ROOT / "requirements.txt"
NOT_HERE = ("numpy", "torch")
OF_TORCH = ("nvidia-", "cuda-", "triton")  # what its build for GPUs brings
ALL = (*DISTRIBUTIONS, *NOT_BOOTSTRAPPED)
PLATFORMS = ("x86_64-manylinux_2_31", "aarch64-manylinux_2_31")  # the C library of the oldest distribution is newer
HEADER = """\
# Made from requirements.in by tests/distributions/lock.py, with uv pip compile. Not here: numpy, which is always the
# distribution's (each version takes that of its Python's distributions), and torch, which set-up installs before.
"""


def compile_requirements(out, numpy, *options):
    """Resolve the requirements with uv into a file.

    Parameters
    ----------
    out : Path
    numpy : list of str   constraints on numpy

    Raises
    ------
    subprocess.CalledProcessError   uv found no solution; it has said why
    """
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "numpy.txt"
        given.write_text("\n".join(numpy) + "\n")
        subprocess.run(
            ["uv", "pip", "compile", "--quiet", "--no-config", "--only-binary", ":all:", "--no-annotate", "--no-header",
             str(WANTED), "--constraint", str(given), "--output-file", str(out), *options],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def numpy_by_python():
    """Constraints that hold numpy, Python by Python, to what its distributions ship."""
    versions = {}
    for each in ALL:
        versions.setdefault(each.python, []).append(each.numpy)
    for python, numbers in versions.items():
        numbers.sort(key=lambda number: [int(part) for part in number.split(".")])
        yield f'numpy>={numbers[0]},<={numbers[-1]}; python_version == "{python}"'


def name_of(line):
    """Package of a line "name==version ; marker"."""
    return line.partition("==")[0]


def main():
    """Write requirements.txt and try it on every distribution."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "requirements.txt"
        oldest = min((each.python for each in ALL), key=lambda python: int(python.split(".")[1]))
        compile_requirements(made, list(numpy_by_python()), "--universal", "--python-version", oldest, "--upgrade")
        kept = [line for line in made.read_text().splitlines(keepends=True)
                if name_of(line) not in NOT_HERE and not line.startswith(OF_TORCH)]
        PINNED.write_text(HEADER + "".join(kept))
        for each in ALL:
            for platform in PLATFORMS:
                one = Path(folder) / f"{each.folder}-{platform}.txt"
                compile_requirements(one, [f"numpy=={each.numpy}"], "--python-version", each.python,
                                     "--python-platform", platform, "--constraint", str(PINNED))
                print(f"{each.name}, Python {each.python}, {platform}: {len(one.read_text().splitlines())} packages")


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, FileNotFoundError) as err:
        sys.exit(f"lock: {err}")
