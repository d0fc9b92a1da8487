# SPDX-License-Identifier: GPL-3.0-or-later
"""gr-soapy as a radio: SoapySDR's module for UHD has the virtual USRP, and a device that is missing is one sentence."""

import os
import sys
from pathlib import Path

import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.radio.both_ends import link_test
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.virtual_usrp import MODULE_PATH

pytest.importorskip("gnuradio", reason="GNU Radio is not installed")

sys.path.append(str(Path(__file__).parent))
from virtual_usrps import LIMIT_S, air, start  # noqa: E402

SEARCH = "SOAPY_SDR_PLUGIN_PATH"
MODULES = [*os.environ.get(SEARCH, "").split(os.pathsep), *map(str, Path("/usr/lib").glob("*/SoapySDR/modules0.*"))]
needs_module = pytest.mark.skipif(not any(Path(each, "libuhdSupport.so").is_file() for each in MODULES if each),
                                  reason="needs SoapySDR's module for UHD: soapysdr-module-uhd")


@needs_module
def test_bursts_go_through_gr_soapy_and_come_back(module, tmp_path, monkeypatch):
    monkeypatch.setenv(MODULE_PATH, str(module))
    with air() as args:
        path = tmp_path / "soapy.yaml"
        path.write_text(f"""
kind: soapy
samp_rate: 1e6
timing: {{lead_s: 0.3, slot_s: 0.03, warmup_bursts: 0}}
soapy:
  args: "driver=uhd,{args}"
  address: ipc://{tmp_path}/radio
  tx: {{gain_db: 45, antenna: TX/RX}}
  rx: {{gain_db: 38, antenna: RX2}}
""")
        found = link_test(str(path), read_profile(path), load_mode_table(), 12)
    assert found["sent"] == found["header_ok"] == 12 and found["token_error_rate"] == 0.0, found
    assert found["valid"], found["why"]
    assert found["evm_db"] < -35 and abs(found["cfo_hz"]) < 30  # an air of -60 dBFS


@pytest.mark.parametrize("arguments, sentence", [
    (("rx", "--profile", "pluto"), "no device of SoapySDR at 'driver=plutosdr': "),
    (("link-test", "--profile", "hackrf"), "the device of profile hackrf sends or receives: use ./twist radio tx"),
])  # fmt: skip
def test_what_is_not_there_or_cannot_be_is_one_sentence(arguments, sentence):
    process = start("", sys.executable, "-m", "tokenlink.cli", "radio", *arguments)
    output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1 and sentence in " ".join(errors.split()), output + errors
