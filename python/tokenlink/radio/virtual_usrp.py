# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual USRP: builds the module that UHD loads, and says how a program gets to it."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import re
import shutil
import subprocess
import sys

import yaml

from tokenlink.files.places import build as programs
from tokenlink.files.places import shipped
from tokenlink.files.writing import write_text
from tokenlink.process.node import NodeError

SOURCES = shipped("hardware", "virtual_usrp")
AIR = shipped("hardware", "profiles", "virtual-usrp.yaml")
BUILD = programs() / "virtual_usrp"
DEVICE_TYPE = "twist_virtual"
MODULE_PATH = "UHD_MODULE_PATH"
REMEDY = "sudo apt-get install g++ libuhd-dev libzmq3-dev libboost-dev"
_BUILD_TIMEOUT_S = 1800.0


def build_module(build=BUILD, sanitize=False):
    """Path of the module, built where it is not up to date.

    Parameters
    ----------
    build : Path       folder of the build; one process builds in it at a time
    sanitize : bool    with AddressSanitizer and UndefinedBehaviorSanitizer

    Returns
    -------
    Path

    Raises
    ------
    NodeError   compiler or headers are missing, or the build fails
    """
    if shutil.which("cmake") is None:
        raise NodeError(f"the virtual USRP is not built (no cmake): sudo apt-get install cmake make, {REMEDY}")
    module = build / "twist_virtual.so"
    build.mkdir(parents=True, exist_ok=True)
    with open(build / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = ["-DTWIST_NEED_VIRTUAL_USRP=ON", f"-DTWIST_SANITIZE={'ON' if sanitize else 'OFF'}"]
        changed_s = max(path.stat().st_mtime for path in SOURCES.iterdir() if path.suffix in (".cpp", ".hpp"))
        if not module.is_file() or module.stat().st_mtime < changed_s:
            print("twist: building the virtual USRP, which takes a minute", file=sys.stderr, flush=True)
        _run(["cmake", "-S", str(SOURCES), "-B", str(build), *options])
        _run(["cmake", "--build", str(build)])
    return module


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False)
    if not done.returncode:
        return
    said = " ".join((done.stderr or done.stdout).split())
    reason = re.search(r"the virtual USRP is not built .*?libboost-dev", said)
    raise NodeError(reason[0] if reason else f"the virtual USRP is not built: {said[-300:]}")


def is_virtual(args):
    """Whether a UHD device address is that of a virtual USRP."""
    return f"type={DEVICE_TYPE}" in [pair.strip() for pair in args.split(",")]


def use_module(args):
    """Let UHD, in this process and those it starts, load the module where a device address asks for it; one that
    UHD_MODULE_PATH names already is left. NodeError as of ``build_module``."""
    if is_virtual(args) and not os.environ.get(MODULE_PATH):
        os.environ[MODULE_PATH] = str(build_module())


def at_an_air(profile, address, tx_link, rx_link):
    """RadioProfile of a virtual USRP with its antennas at links of the air that an emulator serves at an address."""
    pairs = dict(pair.strip().partition("=")[::2] for pair in profile.uhd.args.split(","))
    pairs |= {"address": address, "air_rate": f"{profile.samp_rate:.10g}", "tx": tx_link, "rx": rx_link}
    pairs.setdefault("wait", "120")  # the air starts at the same time, perhaps on a machine that has other work
    args = ",".join(f"{name}={value}" for name, value in pairs.items())
    return dataclasses.replace(profile, uhd=dataclasses.replace(profile.uhd, args=args))


def write_air(samp_rate, path):
    """Path of the file that gets the profile of the air of virtual USRPs, at a sample rate in Hz."""
    raw = yaml.safe_load(AIR.read_text())
    write_text(path, yaml.safe_dump({**raw, "samp_rate": float(samp_rate)}))
    return path


def device_args(profile, address, tx_link="forward", rx_link="forward", product="B210", pace="wall"):
    """Device address of a virtual USRP, as UHD takes it: str.

    Parameters
    ----------
    profile : RadioProfile      virtual; the air
    address : str               where its emulator listens
    tx_link, rx_link : str      links at which its two antennas are
    product, pace : str         B210 or X310; wall or lock
    """
    pairs = {"type": DEVICE_TYPE, "address": address, "air_rate": f"{profile.samp_rate:.10g}"}
    pairs |= {"tx": tx_link, "rx": rx_link, "product": product, "pace": pace}
    return ",".join(f"{name}={value}" for name, value in pairs.items())
