# SPDX-License-Identifier: GPL-3.0-or-later
"""Link test over the virtual radio as a process: a quiet one loses nothing, of a noisy one all is counted."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from tokenlink.link.modes import load_mode_table
from tokenlink.radio.both_ends import link_test, report
from tokenlink.radio.profiles import profile_path, read_profile

TABLE = load_mode_table()


def run(name, n_bursts, **options):
    return link_test(str(name), read_profile(name), TABLE, n_bursts, **options)


def test_every_burst_arrives_over_the_virtual_radio():
    seen = []
    found = run("virtual", 15, on_burst=seen.append)
    assert (found["sent"], found["detected"], found["header_ok"], found["lost"], found["false"]) == (15, 15, 15, 0, 0)
    assert sorted(seen) == list(range(15)) and found["bursts_by_mode"] == {"low": 5, "med": 5, "high": 5}
    assert found["bler_by_group"] == [0.0] * TABLE.n_groups and found["token_error_rate"] == 0.0
    # The profile: 18 dB Es/N0 before IQ imbalance, phase noise, DC and a 12-bit converter; 2400 Hz offset.
    assert 14.0 < found["esn0_db"] < 19.0 and abs(found["cfo_hz"] - 2400) < 50
    assert abs(found["evm_db"] + found["esn0_db"]) < 1.5
    assert found["valid"] and 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert found["samples_per_s"] > 0


def test_noise_that_is_too_strong_is_reported_and_not_hidden(tmp_path):
    raw = yaml.safe_load(profile_path("virtual").read_text())
    raw["virtual"]["links"] = {"forward": {"seed": 1, "impairments": {"noise_dbfs": -11.0}}}  # Es/N0 = 5 dB
    path = tmp_path / "noisy.yaml"
    path.write_text(yaml.safe_dump(raw))
    found = run(path, 6, mode_id=0)
    assert found["sent"] == 6 and found["header_ok"] + found["lost"] == 6 and found["header_ok"] >= 5
    assert max(found["bler_by_group"]) > 0.9 and found["token_error_rate"] > 0.1


def test_a_report_adds_up():
    profile = replace(read_profile("virtual"), name="x")
    names = ("bursts_by_mode", "bler_by_group", "token_error_rate", "evm_db", "esn0_db", "cfo_hz", "power_dbfs",
             "clipped_bursts", "samples_per_s", "lost_samples")  # fmt: skip
    received = dict.fromkeys(names) | {
        "counts": {}, "why": "lost_samples 3, allowed 0", "receiver": {"samples": 9, "bursts": 5, "header_crc": 1},
    }  # fmt: skip
    handed, arrived = {slot: float(slot) for slot in range(4)}, {0: [0.1], 1: [1.3, 1.4], 3: [3.2], 9: [5.0]}
    found = report(profile, 4, {"sent": 4, "counts": {}, "why": ""}, received, handed, arrived)
    assert (found["detected"], found["header_ok"], found["lost"], found["false"], found["repeated"]) == (6, 3, 1, 1, 1)
    assert found["latency_ms"]["p50"] == pytest.approx(1000 * np.median([0.1, 0.3, 0.2]))
    assert found["drops"] == {"header_crc": 1}
    assert not found["valid"] and found["why"] == "rx: lost_samples 3, allowed 0"
    assert not report(profile, 4, {}, received, handed, arrived)["valid"]


def test_no_bursts_are_no_test():
    with pytest.raises(ValueError, match="n_bursts is 0, expected >= 1"):
        run("virtual", 0)
