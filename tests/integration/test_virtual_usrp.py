# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that know nothing of this project, UHD's examples among them, on the virtual USRP."""

import json
import re
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from tokenlink.link.modes import load_mode_table
from tokenlink.phy.frame import BurstConfig
from tokenlink.process.node import NodeError
from tokenlink.radio.both_ends import link_test
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.virtual_usrp import MODULE_PATH, build_module, device_args, is_virtual
from tokenlink.wire import NO_MODE, Bye, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

sys.path.append(str(Path(__file__).parent))
import flowgraphs  # noqa: E402
from virtual_usrps import (  # noqa: E402
    LIMIT_S,
    NOISE_DBFS,
    PROGRAMS,
    air,
    air_profile,
    answer,
    ends,
    program,
    said,
    start,
    usrp_profile,
)

EXAMPLES = Path("/usr/libexec/uhd/examples")


def example(module, name, *arguments):
    """Output of one of UHD's example programs, which must end well."""
    path = EXAMPLES / name
    if not path.is_file():
        pytest.skip(f"uhd-host has no example {name} here")
    return said(start(module, path, *arguments))[0]


def test_probe_finds_all_it_asks_for_and_warns_of_nothing(module):
    with air() as args:
        for product, gain in (("B210", "0.0 to 89.8 step 0.2 dB"), ("X310", "0.0 to 31.5 step 0.5 dB")):
            output, warnings = said(start(module, "uhd_usrp_probe", "--args", args.replace("B210", product)))
            assert f"Mboard: {product}" in output and gain in output
            assert not re.search("WARN|ERROR", warnings), warnings


def test_messages_of_uhds_own_test(module):
    with air() as args:
        output = example(module, "test_messages", "--ntests", 12, "--test-chain", "--args", f"{args},patience=0.03")
    results = dict(re.findall(r"Test ([\w ]+?) +-> +\d+ successes, +(\d+) failures", output))
    assert set(results) >= {"Burst ACK", "Underflow", "Time Error", "Late Command"}
    assert set(results.values()) == {"0"}, output


def test_a_timed_read_and_a_timed_start_happen_at_their_time(module):
    with air() as args:
        output = example(module, "test_timed_commands", "--args", args)
    found = re.findall(r"Difference (?:of|between (?:actual|stream)).*?: (-?[\d.]+) us", output)
    assert len(found) == 4 and max(abs(float(each)) for each in found) <= 1.0, output


def test_rates_below_the_airs_come_without_loss_both_ways(module):
    with air() as args:
        rates = ("--rx_rate", 125e3, "--tx_rate", 250e3, "--duration", 1)
        output = example(module, "benchmark_rate", "--args", f"{args},patience=0.05", *rates)
    counts = {name.strip(): int(n) for name, n in re.findall(r"Num ([\w ()]+): +(\d+)", output)}
    # what is received and sent follows from rate and duration; the rest, mishaps of all kinds, is nothing
    assert counts.pop("received samples") == pytest.approx(125e3, rel=0.2)
    assert counts.pop("transmitted samples") == pytest.approx(250e3, rel=1.0)
    assert not any(counts.values()), output


def test_gain_carrier_format_and_time_matter_and_a_seed_repeats(module):
    cases = [
        {"keep": True},
        {"tx_freq": 2.46e9},
        {"rx_gain": 58},
        {"tx_gain": 75},
        {"rx_gain": 0},
        {"otw": "sc8"},
        {"otw": "sc8", "amplitude": 0.003},
    ]
    runs = []
    for _ in range(2):
        with air() as args:
            runs.append(program(module, "loop", args.replace("wall", "lock"), cases))
    assert runs[0] == runs[1]
    usual, apart, loud, driven, quiet, coarse, lost = runs[0]
    noise = 10 ** (NOISE_DBFS / 20)
    for each in runs[0]:
        assert each["n"] == 9000 and abs(each["late_s"]) < 1e-9 and each["events"] == ["burst_ack"]
    assert usual["level"] == pytest.approx(0.3, rel=1e-3) and usual["rest"] == pytest.approx(noise, rel=0.1)
    assert usual["before"] < 6 * noise and usual["after"] < 6 * noise  # the burst, to the sample
    assert apart["level"] < noise / 10
    assert loud["peak"] > 0.99 and loud["rest"] > 0.1  # 0.3 by 20 dB more: the converter clips
    assert driven["level"] == pytest.approx(1, abs=0.01) and driven["peak"] < 1.01  # the amplifier saturates
    assert quiet["level"] == pytest.approx(0.3 * 10 ** (-38 / 20), rel=0.05)
    assert quiet["rest"] == pytest.approx(np.sqrt(2 / 12) / 2**11, rel=0.15)  # noise of a 12-bit converter
    # rounded to steps of 1/127 by the sender; the receiver rounds to the same, and so takes the noise away
    assert coarse["rest"] == pytest.approx(np.sqrt(2 / 12) / 127, rel=0.05)
    assert lost["level"] == 0  # below half a step


@pytest.mark.parametrize("fault, code, out_of_sequence", [
    ("overflow", "overflow", False), ("drop", "overflow", True), ("bad", "bad_packet", False)])  # fmt: skip
def test_a_packet_that_is_ordered_to_fail_does_so_each_time(module, fault, code, out_of_sequence):
    with air() as args:
        got = program(module, "mishaps", f"{args},patience=0.05,fault={fault}:10;late:3;seq:4;ref")
    kinds = [(name, flag) for name, flag, *_ in got["codes"]]
    assert kinds == ([("none", False)] * 9 + [(code, out_of_sequence)]) * 4
    assert got["events"].count("time_error") == 2 and got["events"].count("seq_error") == 1
    assert got["events"].count("burst_ack") == 3 and got["sensors"] == [False, True]
    times = [at for name, _, n, at in got["codes"] if n]
    assert np.diff(times).max() == pytest.approx(2 * 2040e-6, abs=1e-9)  # what is missing is missing in time too


def test_overflow_underflow_and_late_happen_by_themselves(module):
    with air() as args:
        got = program(module, "slow", f"{args},patience=0.05,num_recv_frames=64")
    assert got["overflows"] >= 1 and got["gap_s"] > 0.1
    assert got["underflow"] == ["underflow"] and got["late"] == ["time_error"] and got["late_command"] == "late"


def test_what_follows_a_late_packet_is_the_streamers_choice(module):
    with air() as args:
        idle = f"{args.replace('wall', 'lock')},idle=65536"
        got = program(module, "policies", idle)
    names, heard = got["next_packet"]
    assert names == ["time_error", "burst_ack"] and heard == 4 * 2040  # all but the packet that was late
    assert got["next_burst"] == [["time_error"], 0]


def test_a_program_that_does_not_tune_is_not_where_the_last_one_was(module):
    with air() as args:
        args = args.replace("wall", "lock")
        (apart,) = program(module, "loop", args, [{"tx_freq": 9e8}])
        (heard,) = program(module, "loop", args, [{"tx_freq": 0, "rx_freq": 0}])
    assert apart["level"] < 1e-3 and heard["level"] == pytest.approx(0.3, rel=1e-2)


def test_who_cannot_have_the_device_is_told_why(module):
    with socket.create_server(("127.0.0.1", 0)) as nobody, air() as args:
        elsewhere = f"type=twist_virtual,address=tcp://127.0.0.1:{nobody.getsockname()[1]}"
        first = start(module, sys.executable, PROGRAMS, "held", args)
        first.stdout.readline()  # it has the device
        later = [start(module, sys.executable, PROGRAMS, "opened", each) for each in (
            f"{args},wait=0.5", f"{elsewhere},wait=0.5", f"{args},fault=overfow:3",
            args.replace("B210", "B999"))]  # fmt: skip
        answers = [answer(each) for each in later]
        assert answer(first)["name"] == "B210"  # its standard input ends now, and it with that
    assert "refuses: link forward has another tx end; another program has this device" in answers[0]["error"]
    assert "no emulator answers at tcp://127.0.0.1:" in answers[1]["error"]
    assert "fault is overfow:3, must be overflow, drop" in answers[2]["error"]
    assert "product is B999, must be B210 or X310" in answers[3]["error"]


@pytest.mark.parametrize("args, expected", [("type=twist_virtual", True), ("addr=1, type=twist_virtual", True),
                                            ("type=b200", False), ("", False)])  # fmt: skip
def test_which_device_address_is_a_virtual_one(args, expected):
    assert is_virtual(args) is expected


def test_what_is_missing_is_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeError, match="the virtual USRP is not built .no cmake.: sudo apt-get install cmake make"):
        build_module(tmp_path / "build")
    cmake = tmp_path / "cmake"
    said_by_cmake = "the virtual USRP is not built (no\n  UHD_LIBRARY): sudo apt-get\n  install g++ libboost-dev\n\nbye"
    cmake.write_text(f"#!/bin/sh\nprintf '%s' '{said_by_cmake}' >&2\nexit 1\n")
    cmake.chmod(0o755)
    with pytest.raises(NodeError, match="^the virtual USRP is not built .no UHD_LIBRARY.: sudo apt-get install g"):
        build_module(tmp_path / "build")


def test_device_arguments_say_where_and_how_fast():
    profile = replace(air_profile(), samp_rate=5e6)
    assert device_args(profile, "ipc:///x", "a", "b", "X310", "lock") == (
        "type=twist_virtual,address=ipc:///x,air_rate=5000000,tx=a,rx=b,product=X310,pace=lock")


def test_usrp_flowgraphs_carry_tokens_from_one_device_to_another(module, tmp_path, monkeypatch):
    monkeypatch.setenv(MODULE_PATH, str(module))
    table, wanted, sent, got = load_mode_table(), 6, 0, {}
    at = {name: f"ipc://{tmp_path}/{name}" for name in ("tokens", "mode", "estimates")}
    rf = {"subdev": "A:A", "lo_offset_hz": 4e6, "gain_db": 45}
    tx, rx = (flowgraphs.program(name, tmp_path) for name in ("usrp_tx", "usrp_rx"))
    with (air(air_profile(cfo_hz=-3e3)) as args, PullSocket(at["estimates"]) as out,
          PushSocket(at["tokens"]) as tokens, PushSocket(at["mode"]) as modes,
          flowgraphs.Process(rx, device_args=f"{ends(args, 'reverse', 'forward')},fault=overflow:97;drop:101",
                             estimates_address=at["estimates"], antenna="RX2", **rf | {"gain_db": 38}) as receiver,
          flowgraphs.Process(tx, device_args=f"{ends(args, 'forward', 'reverse')},fault=underflow:5",
                             tokens_address=at["tokens"],
                             mode_address=at["mode"], slot_s=0.05, lock_step=1, report_file=tmp_path / "tx.json",
                             **rf) as transmitter):  # fmt: skip
        # a USRP does not wait: bursts are lost until the receiver runs
        while len(got) < wanted and sent < 500:
            assert tokens.send(TokenFrame(sent, 0, frame_of(sent, table)))
            assert modes.send(ModeCommand(sent, 0, 1))
            sent += 1
            while (message := out.recv(0.2)) is not None:
                # a burst that was cut has erased tokens, and is none to be judged
                came = isinstance(message, TokenEstimate) and message.mode_id != NO_MODE
                if came and not message.erased.any():
                    got[message.slot] = message
        tokens.send(Bye(sent, 0, "camera"))
        code, output = transmitter.wait()
        receiver.signal(signal.SIGTERM)
        heard_code, heard = receiver.wait()
        assert code == heard_code == 0, output + heard
    assert len(got) >= wanted
    for slot, estimate in got.items():
        assert np.array_equal(estimate.token_ids, frame_of(slot, table))
    # each burst is told of; on a machine with other work one may run dry, which is told too
    events = json.loads((tmp_path / "tx.json").read_text())["counts"]["radio_events0"]
    assert events["burst_ack"] == sent and set(events) <= {"burst_ack", "underflow_in_packet", "underflow"}
    assert events["underflow_in_packet"] == sent // 5 and "this run is NOT valid" in output
    gaps, missing = (int(re.search(rf"{name} (\d+)", heard)[1]) for name in ("gaps", "missing_samples"))
    assert gaps >= 2 and missing >= gaps * 2040 and "O" in heard and "D" in heard


def frame_of(slot, table):
    return np.random.default_rng((6, slot)).integers(0, table.vocab_size, table.n_tokens).astype(np.int32)


@contextmanager
def babbler():
    """Address of a socket that answers every message with one that is none."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        port, stop = socket.bind_to_random_port("tcp://127.0.0.1"), threading.Event()

        def babble():
            rng = np.random.default_rng(7)
            while not stop.is_set():
                if socket.poll(50):
                    peer, *frames = socket.recv_multipart()
                    cut = [frame[: rng.integers(0, len(frame) + 1)] for frame in frames]
                    mixed = [bytes(rng.integers(0, 256, 26, dtype=np.uint8)), *cut, frames[0] + b"x" * 40]
                    for answer in (mixed, cut, frames, [frames[0]] * 9):
                        socket.send_multipart([peer, *answer])

        thread = threading.Thread(target=babble)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{port}"
        finally:
            stop.set()
            thread.join()


def test_an_air_that_is_lost_or_none_is_one_exception(module):
    with babbler() as nonsense, air() as args:
        on_order = start(module, sys.executable, PROGRAMS, "until_it_fails", f"{args},fault=link:20")
        strange = start(module, sys.executable, PROGRAMS, "opened", f"type=twist_virtual,address={nonsense},wait=1")
        assert "is lost, as ordered by fault=link" in answer(on_order)["error"]
        gone = start(module, sys.executable, PROGRAMS, "until_it_fails", args)
        gone.stdout.readline()  # it has the device, whose emulator ends now
        assert "what is there speaks another protocol" in answer(strange)["error"]
    assert "does not answer any more" in answer(gone)["error"]


def test_two_boards_have_one_time_and_a_streamer_over_both_is_aligned(module):
    with air() as args:
        together = ",".join(
            f"{name}{board}={value}" for board, each in enumerate((args, ends(args, "reverse", "reverse")))
            for name, value in (pair.split("=", 1) for pair in each.split(","))
        )  # fmt: skip
        got = program(module, "boards", together)
    assert got["boards"] == 2 and got["got"] == 5000 and abs(got["late_s"]) < 2e-6
    assert got["clocks"][1] - got["clocks"][0] == pytest.approx(0, abs=0.05)  # read one after the other
    assert got["edges"][0] == got["edges"][1] == pytest.approx(int(got["clocks"][0]), abs=1e-6)
    # half the noise's power in each part, and half the band
    assert got["rms"] == pytest.approx([32767 * 10 ** (NOISE_DBFS / 20) / 2] * 2, rel=0.1)


def test_bursts_of_our_own_come_back_and_each_is_accounted_for(module, tmp_path, monkeypatch):
    monkeypatch.setenv(MODULE_PATH, str(module))
    noise_dbfs, bursts = -30.0, 12
    with air(air_profile(noise_dbfs=noise_dbfs, cfo_hz=700.0)) as args:
        path = usrp_profile(tmp_path, args)
        found = link_test(str(path), read_profile(path), load_mode_table(), bursts, mode_id=1)
    assert found["sent"] == found["header_ok"] == found["ends"]["tx"]["device_burst_ack"] == bursts
    assert found["valid"], found["why"]
    burst = BurstConfig()
    # energy of a symbol over the noise: what was sent at gains of 0 dB, four samples of it
    esn0_db = 20 * np.log10(burst.amplitude) + 10 * np.log10(burst.pulse.sps) - noise_dbfs
    assert found["esn0_db"] == pytest.approx(esn0_db, abs=0.7) and found["cfo_hz"] == pytest.approx(700, abs=30)


def test_what_a_program_does_not_say_comes_from_the_environment(module, monkeypatch):
    with air() as args:
        address = args.split("address=")[1].split(",")[0]
        monkeypatch.setenv("TWIST_VIRTUAL_USRP", f"address={address},product=X310,channels=2")
        assert program(module, "opened", "type=twist_virtual") == {"name": "X310", "rx": 2, "boards": 1}
        assert program(module, "opened", "type=twist_virtual,product=B210")["name"] == "B210"


def command(*arguments):
    return start("", sys.executable, "-m", "tokenlink.cli", "radio", "usrp", *arguments)


def test_the_command_starts_an_air_and_prints_lines_that_work(module):
    serving = command("--virtual", "--address", "tcp://127.0.0.1:*", "--product", "X310", "--duration", "20")
    lines = [serving.stdout.readline() for _ in range(5)]
    assert lines[0].startswith("listening at tcp://127.0.0.1:") and lines[1] == f"export {MODULE_PATH}={module}\n"
    args = [re.search(r"--args (\S+)", line)[1] for line in lines[2:]]
    try:
        first, second = (start(module, sys.executable, PROGRAMS, "opened", each) for each in args[1:])
        assert answer(first)["name"] == answer(second)["name"] == "X310"
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=LIMIT_S)


@pytest.mark.parametrize("arguments, sentence", [
    ((), "say --virtual; ./twist radio check looks at a device"),
    (("--virtual", "--product", "B999"), "--product is 'B999', must be B210 or X310"),
])  # fmt: skip
def test_what_the_command_cannot_do_is_one_sentence(arguments, sentence):
    process = command(*arguments)
    output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1 and sentence in " ".join(errors.split()), output + errors
