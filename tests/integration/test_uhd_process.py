# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that owns a USRP, as a process on its own, with a stand-in for the uhd module beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tokenlink.process import children
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.radio_process import UHD_SCRIPT, service_command, wait_for_radio
from tokenlink.wire.iq_streams import IqReceiver, IqSender, RadioRefused

STAND_IN = Path(__file__).parents[1] / "unit" / "radio"


@pytest.fixture
def environment(tmp_path):
    """Environment in which `import uhd` finds the stand-in."""
    (tmp_path / "uhd.py").write_text("import fake_uhd\nglobals().update(vars(fake_uhd.Device().module()))\n")
    env = children.environment()
    return env | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(STAND_IN), env["PYTHONPATH"]])}


@pytest.mark.parametrize("sides", ["tx", "tx,rx"])
def test_probe_opens_the_sides_that_are_asked_for(environment, sides):
    command = [sys.executable, str(UHD_SCRIPT), "probe", "--profile", "b210", "--sides", sides]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    facts = json.loads(said.stdout)["facts"]
    assert {side for side in ("tx", "rx") if f"{side}_gain_db" in facts} == set(sides.split(","))
    assert facts["mboard"] == "B210"


def test_serve_is_reached_at_the_address_given_and_holds_one_side(environment, tmp_path):
    profile, address = read_profile("b210"), f"ipc://{tmp_path}/radio"
    command = service_command("b210", profile, address, sides="rx")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        with IqReceiver(address) as receiver, IqSender(address) as sender:
            wait_for_radio(receiver), wait_for_radio(sender)
            receiver.set(rx_gain_db=12.0)
            with pytest.raises(RadioRefused, match="tx_gain_db cannot be set at the tx end"):
                sender.set(tx_gain_db=12.0)
            _, samples, _ = receiver.recv(4096)
            assert len(samples) > 0
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    listening, report = said.splitlines()
    assert listening == f"listening at {address}"
    facts = json.loads(report)["facts"]
    assert facts["rx_gain_db"] == 12.0 and not {"tx_rate", "tx_gain_db"} & facts.keys()
