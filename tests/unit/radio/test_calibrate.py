# SPDX-License-Identifier: GPL-3.0-or-later
"""Gain sweep over the virtual radio, the pair it recommends, the file, and the check of a radio."""

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.radio.calibrate import (
    CalibrationError,
    GainPoint,
    default_gains,
    read_gain,
    recommend,
    sweep,
    write_calibration,
)
from tokenlink.radio.fitness import NOTE, OK, WRONG, measure, probe
from tokenlink.radio.profiles import parse_profile
from tokenlink.radio.radio_process import make_emulator, wait_for_radio
from tokenlink.wire.iq_streams import IqReceiver, IqSender, RadioRefused

TABLE = load_mode_table()
def wire(noise_dbfs):
    return parse_profile({
        "kind": "virtual", "samp_rate": 1e6, "timing": {"slot_s": 0.012},
        "virtual": {"address": "tcp://127.0.0.1:*", "links": {"forward": {"impairments": {
            "gain_db": -30.0, "noise_dbfs": noise_dbfs, "adc_bits": 12, "cfo_hz": 300.0}}}},
    })  # fmt: skip


WIRE = wire(-80.0)
POINT = GainPoint(10.0, 20.0, 4, 4, -30.0, 31.0, -20.0, 5.0, 0, 0)


@contextmanager
def ends(profile=WIRE):
    stop = threading.Event()
    with make_emulator(profile) as emulator:
        thread = threading.Thread(target=emulator.run, args=(stop.is_set,))
        thread.start()
        try:
            with IqSender(emulator.address) as tx, IqReceiver(emulator.address) as rx:
                wait_for_radio(tx), wait_for_radio(rx)
                yield tx, rx
        finally:
            stop.set()
            thread.join()


def test_sweep_finds_noise_at_the_bottom_and_clipping_at_the_top():
    seen = []
    with ends() as (tx, rx):
        points = sweep(tx, rx, WIRE, TABLE, [-10.0, 0.0], [10.0, 55.0], n_bursts=2, mode_id=0, on_point=seen.append)
        with pytest.raises(RadioRefused, match="rx_gain_db is 99.0, must be in -60..60 dB"):
            rx.set(rx_gain_db=99.0)
        with pytest.raises(RadioRefused, match="rx_gain_db cannot be set at the tx end of this radio, only tx_gain_db"):
            tx.set(rx_gain_db=1.0)
    assert seen == points and [(each.rx_gain_db, each.tx_gain_db) for each in points] == [
        (10, -10), (10, 0), (55, -10), (55, 0)]
    quiet, good, _, loud = points
    # -12 dBFS bursts, -30 dB path, noise of -80 dBFS, 4 samples a symbol: 44 dB less the error of the estimates and,
    # at 10 dB of gain, the noise of 12 bits (-74 dBFS over gain of 10 dB)
    assert good.evm_db == pytest.approx(-42.0, abs=3) and quiet.evm_db == pytest.approx(good.evm_db + 9, abs=3)
    assert good.power_dbfs == pytest.approx(-32, abs=0.3) and good.cfo_hz == pytest.approx(300, abs=5)
    assert good.is_usable and loud.clipped == 2 and not loud.is_usable and loud.evm_db > -20
    assert recommend(points) == good


def test_least_gain_among_the_best_is_recommended():
    worse, same, loud = replace(POINT, evm_db=-25.0), replace(POINT, evm_db=-30.3, tx_gain_db=15.0), replace(
        POINT, evm_db=-35.0, power_dbfs=-5.0)
    assert recommend([worse, same, loud, POINT]) == POINT
    assert recommend([worse, replace(POINT, received=3), replace(POINT, clipped=1)]) == worse
    with pytest.raises(CalibrationError, match="no gains are usable: at most 4 bursts .*, 1 of 1 pairs were too loud"):
        recommend([loud])


def test_calibration_file_is_read_back_for_its_own_profile_only(tmp_path):
    path = tmp_path / "sub" / "x.yaml"
    write_calibration(path, WIRE, [POINT], POINT)
    assert (read_gain(path, WIRE, "tx"), read_gain(path, WIRE, "rx")) == (10.0, 20.0)
    with pytest.raises(CalibrationError, match="x.yaml: profile is 'profile', must be 'other', that of the radio"):
        read_gain(path, replace(WIRE, name="other"), "tx")
    path.write_text("schema: 1\nprofile: profile\nsamp_rate: 1000000.0\nrecommended: {tx_gain_db: high}\n")
    with pytest.raises(CalibrationError, match="recommended.tx_gain_db is 'high', must be a number"):
        read_gain(path, WIRE, "tx")
    for text in ("[", "3", "schema: 2"):
        path.write_text(text)
        with pytest.raises(CalibrationError, match="x.yaml: (while parsing|the content is .*, must be a calibration)"):
            read_gain(path, WIRE, "tx")


def test_default_gains_stay_in_the_range_of_the_radio():
    for family, top in (("b200", 89.8), ("x300", 31.5)):
        tx, rx = default_gains(parse_profile({"kind": "uhd", "samp_rate": 1e6, "uhd": {"family": family}}))
        assert len(tx) == len(rx) == 6 and tx[0] == rx[0] == 0 and tx[-1] == top


def test_check_of_a_virtual_radio_finds_it_fit():
    assert [each.status for each in probe("x", WIRE)] == [OK]
    with ends(wire(-60.0)) as (tx, rx):
        found = {each.name: each for each in measure(tx, rx, wire(-60.0), TABLE)}
    assert {each.status for each in found.values()} <= {OK, NOTE}
    assert found["bursts"].detail.startswith("12 of 12 came back") and "12 of 12 bursts left" in found[
        "transmitter"].detail
    assert float(found["noise floor"].detail.split()[0]) == pytest.approx(-60, abs=0.5)


def test_check_of_a_device_that_is_not_there_is_one_sentence():
    profile = parse_profile({"kind": "uhd", "samp_rate": 1e6})
    found = probe("b210", profile)
    assert found[-1].status == WRONG
    assert "no USRP answers to" in found[-1].detail or "uhd module is missing" in found[-1].detail
