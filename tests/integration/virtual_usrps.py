# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual USRPs for tests: an air, device arguments and profiles, and programs as processes on it."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from tokenlink.radio.profiles import parse_profile
from tokenlink.radio.radio_process import make_emulator
from tokenlink.radio.virtual_usrp import MODULE_PATH, device_args

PROGRAMS = Path(__file__).with_name("uhd_programs.py")
LIMIT_S = 120
NOISE_DBFS = -60.0


def air_profile(samp_rate=1e6, patience=0.5, **impairments):
    link = {"seed": 5, "impairments": {"noise_dbfs": NOISE_DBFS, **impairments}}
    return parse_profile({"kind": "virtual", "samp_rate": samp_rate, "virtual": {
        "address": "tcp://127.0.0.1:*", "start_s": 0.0, "stall_s": patience,
        "links": {"forward": link, "reverse": link}}})  # fmt: skip


@contextmanager
def air(profile=None, address=None):
    """Device arguments of a virtual USRP whose emulator runs here."""
    profile, stop = profile or air_profile(), threading.Event()
    with make_emulator(profile, address) as emulator:
        thread = threading.Thread(target=emulator.run, args=(stop.is_set,))
        thread.start()
        try:
            yield device_args(profile, emulator.address)
        finally:
            stop.set()
            thread.join()


def start(module, *command):
    env = os.environ | {MODULE_PATH: str(module)}
    return subprocess.Popen(list(map(str, command)), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def said(process):
    """What a program printed, and its warnings; it must end by itself, and well."""
    try:
        output, warnings = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, output + warnings
    return output, warnings


def program(module, name, args, values=None):
    """What a program of uhd_programs.py says."""
    return answer(start(module, sys.executable, PROGRAMS, name, args, *([json.dumps(values)] if values else [])))


def answer(process):
    """The JSON of the last line."""
    return json.loads(said(process)[0].splitlines()[-1])


def ends(args, tx_link, rx_link):
    """Device arguments with other antennas."""
    return args.replace("tx=forward", f"tx={tx_link}").replace("rx=forward", f"rx={rx_link}")


def usrp_profile(folder, args, name="usrp"):
    """File of a profile whose USRP is a virtual one; lead enough for a machine that has other work."""
    path = folder / f"{name}.yaml"
    path.write_text(f"""
kind: uhd
samp_rate: 1e6
timing: {{lead_s: 0.3, slot_s: 0.03, warmup_bursts: 0}}
uhd:
  args: "{args}"
  address: ipc://{folder}/{name}
  master_clock_rate: 32e6
  stream_args: underflow_policy=next_burst
  tx: {{lo_offset: 4e6, gain_db: 45, subdev: "A:A"}}
  rx: {{lo_offset: 4e6, gain_db: 38, antenna: RX2, subdev: "A:A"}}
""")
    return path
