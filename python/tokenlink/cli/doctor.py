# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist doctor``: is everything there that a run needs, and what to do where it is not."""

from __future__ import annotations

import json as json_module
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import writable_file
from tokenlink.files.places import IN_TREE, PACKAGE, TREE, shipped

TIMEOUT_S = 300.0  # a first start on a busy machine takes more than one minute
NO_ANSWER = f"no answer within {TIMEOUT_S:.0f} s"
OK, NOTE, WRONG = "ok", "note", "wrong"
SET_UP = "remove .venv and run ./twist again: it sets everything up"
AGAIN = "the machine may be too busy: run ./twist doctor again when it has less to do"
FETCH = "sudo apt-get install gnuradio, then ./twist again"
PACKAGES = ("numba", "pyzmq", "safetensors", "panda3d", "timm", "torchvision", "sentencepiece", "transformers", "peft")
OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)


@dataclass(frozen=True)
class Finding:
    """One line of the examination; `remedy` is empty when all is well."""

    name: str
    status: str
    detail: str
    remedy: str = ""


def doctor(
    json: Annotated[OptionalPath, typer.Option(help="Write the findings here as JSON.", callback=writable_file)] = None,
) -> None:
    """Examine GNU Radio, UHD, numpy, torch, GRC paths, CPU, weights and radios; exit code 1 when something is wrong.

    Example: ./twist doctor --json doctor.json
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tokenlink.files.writing import write_text
    console = Console(markup=False)
    table = Table("what", "status", "found", "remedy")
    styles = {OK: "green", NOTE: "yellow", WRONG: "red"}
    with console.status("examining"):
        findings = examine()
    for each in findings:
        table.add_row(each.name, Text(each.status, styles[each.status]), each.detail, each.remedy)
    console.print(table)
    if json:
        write_text(json, json_module.dumps([asdict(each) for each in findings], indent=2) + "\n")
    raise typer.Exit(int(any(each.status == WRONG for each in findings)))


def examine():
    """All findings, list of Finding."""
    findings = [
        _system(),
        _torch(),
        _inference(),
        *(_package(name) for name in PACKAGES),
        _gnuradio(),
        _numpy(),
        _blocks(),
        _grc(),
        _cpu(),
        *_artifacts(),
        *_uhd(),
        _virtual_usrp(),
    ]
    return [replace(each, remedy=AGAIN) if each.detail == NO_ANSWER else each for each in findings]


def _system():
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        name = platform.system()
    return Finding("system", OK, f"{name}, Python {platform.python_version()}")


def _package(name):
    try:
        return Finding(name, OK, version(name))
    except PackageNotFoundError:
        return Finding(name, WRONG, "not installed", SET_UP)


def _torch():
    found = _package("torch")
    wanted = TREE / "requirements.in"
    asked = wanted.read_text() if IN_TREE else ""
    pinned = re.search(r"^torch==([\d.]+)", asked, re.MULTILINE)
    if found.status == OK and pinned and found.detail.split("+")[0] != pinned[1]:
        return Finding("torch", NOTE, f"{found.detail}, set-up asks for {pinned[1]}", SET_UP)
    return found


def _inference():
    """Absent on Python 3.10, whose distribution's numpy it refuses: slower, not wrong."""
    missing = [name for name in ("onnx", "onnxruntime") if _package(name).status != OK]
    if missing and sys.version_info < (3, 11):
        return Finding("inference", OK, "by torch: ONNX Runtime is not for the numpy of Python 3.10")
    if missing:
        return Finding("inference", NOTE, f"by torch: {' and '.join(missing)} not installed", SET_UP)
    return Finding("inference", OK, f"onnxruntime {version('onnxruntime')}, onnx {version('onnx')}")


def _python(code, env=None):
    """Last line a Python program prints in a process of its own, or None and its last words when it fails."""
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=env, check=False)
    except subprocess.TimeoutExpired:
        return None, NO_ANSWER
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return None, lines[-1] if lines else f"exit code {done.returncode}"
    lines = done.stdout.strip().splitlines()  # GNU Radio speaks before them on its first run
    return lines[-1] if lines else "", ""


def _gnuradio():
    found, why = _python("from gnuradio import gr, blocks; import pmt; print(gr.version())")
    return Finding("GNU Radio", OK, found) if found else Finding("GNU Radio", WRONG, why, FETCH)


def _numpy():
    # An array must cross into a compiled block and back: that is where another numpy than the build's one breaks.
    code = (
        "import numpy as np\nfrom gnuradio import gr, blocks\n"
        "tb, sink = gr.top_block(), blocks.vector_sink_c()\n"
        "tb.connect(blocks.vector_source_c(np.arange(4, dtype=np.complex64)), sink)\ntb.run()\n"
        "assert np.array_equal(sink.data(), np.arange(4))\nprint(np.__version__, np.__file__)"
    )
    found, why = _python(code)
    if found is None:
        return Finding("numpy ABI", WRONG, why, f"numpy must be the distribution's: {SET_UP}")
    number, _, path = found.partition(" ")
    if IN_TREE and str(TREE / ".venv") in path:
        return Finding("numpy ABI", WRONG, f"{number} from .venv", f"pip uninstall numpy in .venv, or {SET_UP}")
    return Finding("numpy ABI", OK, f"{number}, shared with GNU Radio")


def _blocks():
    search = [shipped("gr-twist", "path"), PACKAGE.parent]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, search))}
    code = "from gnuradio import twist; print(len([n for n in dir(twist) if n.islower() and n[0] != '_']))"
    found, why = _python(code, env)
    if found is None:
        return Finding("gr-twist blocks", WRONG, why, "see gr-twist/docs; a whole checkout has gr-twist/python/twist")
    return Finding("gr-twist blocks", OK, f"importable as gnuradio.twist, {found} names")


def _grc():
    folder = shipped("gr-twist", "grc")
    described = len(list(folder.glob("*.block.yml")))
    if shutil.which("grcc") is None:
        return Finding("GRC", WRONG, "grcc is not on PATH", FETCH)
    if not described:
        return Finding("GRC", WRONG, f"no block descriptions in {folder}", "use a whole checkout of the project")
    if shutil.which("gnuradio-companion") is None:
        return Finding("GRC", NOTE, f"{described} blocks, but gnuradio-companion is not on PATH", FETCH)
    return Finding("GRC", OK, f"{described} blocks; ./twist grc opens flowgraphs with them")


def _cpu():
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    found = [name for name in ("sse4_2", "avx2", "avx512f", "asimd") if name in flags]
    detail = f"{os.cpu_count()} cores, {', '.join(found) or 'no vector extension found'}"
    if found and found != ["sse4_2"]:
        return Finding("CPU", OK, detail)
    return Finding("CPU", NOTE, detail, "decoding works but is slower than on a CPU with AVX2")


def _artifacts():
    code = (
        "import json\nfrom tokenlink.models import artifact\n"
        "print(json.dumps([[c.name, c.ok, c.message] for c in artifact.check_all()]))"
    )
    found, why = _python(code, os.environ | {"PYTHONPATH": str(PACKAGE.parent)})
    if found is None:
        return [Finding("weights", WRONG, why, SET_UP)]
    remedy = "fetch artifacts/ again, or ./twist train"
    return [
        Finding(f"weights: {name}", OK, "SHA-256 as in the manifest") if ok else
        Finding(f"weights: {name}", WRONG, message.partition(":")[0], message.partition(": ")[2] or remedy)
        for name, ok, message in json_module.loads(found)
    ]


def _uhd():
    remedy = "only for USRPs: sudo apt-get install python3-uhd uhd-host"
    found, why = _python("from gnuradio import uhd; uhd.stream_args; print('gr-uhd')")
    uhd = Finding("UHD", OK, found) if found else Finding("UHD", NOTE, why, remedy)
    devices, why = _python("import uhd; print(*(d.to_string() for d in uhd.find('')), sep='; ')")
    if devices is None:
        return [uhd, Finding("USRP", NOTE, f"cannot look for one: {why}", remedy)]
    if not devices:
        hint = "only for over-the-air runs: connect one, uhd_usrp_probe must find it"
        return [uhd, Finding("USRP", NOTE, "none found", hint)]
    return [uhd, Finding("USRP", OK, devices)]


def _virtual_usrp():
    from tokenlink.radio.virtual_usrp import BUILD, REMEDY

    built = BUILD / "twist_virtual.so"
    if built.is_file():
        return Finding("virtual USRP", OK, f"built; UHD_MODULE_PATH={built}")
    headers = "#include <uhd/version.hpp>\n#include <zmq.h>\n#include <boost/version.hpp>\n"
    compiler = shutil.which("c++")
    if compiler and not subprocess.run([compiler, "-E", "-xc++", "-"], input=headers.encode(), capture_output=True,
                                       check=False).returncode:  # fmt: skip
        return Finding("virtual USRP", OK, "not built yet: ./twist radio usrp --virtual builds it")
    return Finding("virtual USRP", NOTE, "compiler or headers are missing", f"only for virtual USRPs: {REMEDY}")
