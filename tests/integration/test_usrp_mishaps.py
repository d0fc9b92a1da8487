# SPDX-License-Identifier: GPL-3.0-or-later
"""What a USRP can report, produced on purpose by a virtual one: the radio commands count it, say so, and go on."""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from virtual_usrps import LIMIT_S, air, ends, program, start, usrp_profile  # noqa: E402

N_BURSTS = 40


def radio(module, *arguments):
    return start(module, sys.executable, "-m", "tokenlink.cli", "radio", *arguments)


def outcome(process, code):
    """All that a command said, as one line; its exit code must be that."""
    output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, output + errors
    return " ".join((output + errors).split())


def test_mishaps_of_both_ends_are_counted_reported_and_survived(module, tmp_path):
    with air() as args:
        tx = usrp_profile(tmp_path, f"{ends(args, 'forward', 'reverse')},fault=underflow:5;late:7;seq:11", "tx")
        rx = usrp_profile(tmp_path, f"{ends(args, 'reverse', 'forward')},patience=0.1,"
                                    "fault=overflow:149;drop:211;bad:251;broken:331;command:2", "rx")  # fmt: skip
        until = ("--bursts", N_BURSTS - 4, "--duration", 10)
        hearing = radio(module, "rx", "--profile", rx, *until, "--json", tmp_path / "rx.json")
        sending = radio(module, "tx", "--profile", tx, "--bursts", N_BURSTS, "--json", tmp_path / "tx.json")
        said = {"tx": outcome(sending, 2), "rx": outcome(hearing, 2)}
    sent, got = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("tx", "rx"))
    counts, n = sent["counts"], sent["sent"]
    assert n == N_BURSTS and not sent["valid"]
    assert counts["device_seq_error"] == sent["lost_packets"] == n // 11
    assert counts["device_time_error"] == sent["late"] == n // 7  # the burst that is both is late
    assert sent["underflow"] >= n // 5 - n // 35  # and perhaps others, where the machine has other work
    assert counts["device_burst_ack"] == n - n // 11 - n // 7
    counts = got["counts"]
    for name, every in (("overflow", 149), ("out_of_sequence", 211), ("bad_packet", 251), ("broken_chain", 331)):
        # the last ones may not have been told before the end
        assert counts[f"device_{name}"] >= max(counts["samples"] // 2040 // every - 1, 1), (name, counts)
    assert got["late"] == counts["device_late"] >= 1  # every second command to go on came late, and was given again
    assert got["lost_samples"] >= 2040 * sum(counts[f"device_{name}"] for name in ("overflow", "out_of_sequence"))
    assert got["bursts"] >= 5 and got["wrong_tokens"] == 0 and got["bursts"] + got["missed"] >= N_BURSTS // 2
    assert not got["valid"] and "lost_samples" in said["rx"] and "device_broken_chain" in said["rx"]
    assert "late 5, allowed 0" in said["tx"] and "lost_packets 3" in said["tx"] and "device_underflow_in" in said["tx"]


def test_a_link_that_is_lost_ends_either_command_with_one_sentence(module, tmp_path):
    with air() as args:
        tx = usrp_profile(tmp_path, ends(args, "forward", "reverse"), "tx")
        rx = usrp_profile(tmp_path, f"{ends(args, 'reverse', 'forward')},fault=link:300", "rx")
        hearing = radio(module, "rx", "--profile", rx, "--bursts", 100_000)
        sending = radio(module, "tx", "--profile", tx, "--bursts", 100_000)
        heard = outcome(hearing, 1)
    sent = outcome(sending, 1)  # its air is gone
    for text, why in ((heard, "is lost, as ordered by fault=link"), (sent, "does not answer any more")):
        assert "the radio's process ended with exit code 1: the device failed: " in text and text.endswith(why), text
        assert "Traceback" not in text


def test_a_device_that_does_not_lock_is_refused(module):
    cases = [("ref", "clock_source"), ("lo", ""), ("pps", "time_source"), ("", "clock_source"), ("ref;pps", "")]
    with air() as args:
        reference, oscillator, pps, *fine = program(module, "refusals", args, cases)
    assert "uhd.clock_source is 'external', but the reference does not lock: connect 10 MHz to REF IN" in reference
    assert "the local oscillator of tx does not lock at 2.45e+09 Hz" in oscillator
    assert "uhd.time_source is 'external', but no PPS comes" in pps
    assert fine == ["", ""]  # what is not used need not lock
