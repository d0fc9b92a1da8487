# SPDX-License-Identifier: GPL-3.0-or-later
"""Small UHD programs, run by tests as processes of their own: ``uhd_programs.py NAME ARGS [JSON]`` prints JSON."""

import json
import sys
import time

import numpy as np
import uhd

RATE, BURST = 1e6, 3000
Mode = uhd.types.StreamMode


def tone(n, amplitude=0.3, freq_hz=51_234.5):
    """Complex64 [1, n]."""
    return (amplitude * np.exp(2j * np.pi * freq_hz / RATE * np.arange(n))).astype(np.complex64)[None]


def streams(device, otw="sc16", rate=RATE, policy="next_packet", **rf):
    """(tx, rx) streamers; rf: tx_freq, rx_freq (0: not tuned), tx_gain, rx_gain; policy: after a mishap of the tx."""
    for side in ("tx", "rx"):
        getattr(device, f"set_{side}_rate")(rate, 0)
        if freq_hz := rf.get(f"{side}_freq", 2.45e9):
            getattr(device, f"set_{side}_freq")(uhd.types.TuneRequest(freq_hz), 0)
        getattr(device, f"set_{side}_gain")(rf.get(f"{side}_gain", {"tx": 45, "rx": 38}[side]), 0)
    args = uhd.usrp.StreamArgs("fc32", otw)
    args.channels, args.args = [0], f"underflow_policy={policy}"
    return device.get_tx_stream(args), device.get_rx_stream(args)


def order(rx, n, time_s=None, mode=Mode.num_done):
    """Ask for n samples, from a time on."""
    command = uhd.types.StreamCMD(mode)
    command.num_samps, command.stream_now = n, time_s is None
    if time_s is not None:
        command.time_spec = uhd.types.TimeSpec(time_s)
    rx.issue_stream_cmd(command)


def send(tx, samples, time_s=None, ends=True):
    """One burst, or the beginning of one."""
    metadata = uhd.types.TXMetadata()
    metadata.start_of_burst, metadata.end_of_burst, metadata.has_time_spec = True, ends, time_s is not None
    if time_s is not None:
        metadata.time_spec = uhd.types.TimeSpec(time_s)
    return tx.send(samples, metadata, 5.0)


def receive(rx, n, timeout_s=5.0):
    """(complex64 samples, time of the first one)."""
    metadata, buffer = uhd.types.RXMetadata(), np.zeros((1, n), np.complex64)
    got = rx.recv(buffer, metadata, timeout_s)
    return buffer[0, :got], metadata.time_spec.get_real_secs()


def events(tx, timeout_s=1.0):
    """Names of the asynchronous messages that come."""
    found, metadata = [], uhd.types.TXAsyncMetadata()
    while tx.recv_async_msg(metadata, timeout_s):
        found.append(metadata.event_code.name)
        timeout_s = 0.1
    return found


def loop(device, cases):
    """A burst in lock step for each case (arguments of streams): where it came, how strong, how far from the tone."""
    results, begin = [], device.get_time_now(0).get_real_secs() + 0.01
    for case in cases:
        tx, rx = streams(device, **case)
        order(rx, 3 * BURST, begin)
        send(tx, tone(BURST, case.get("amplitude", 0.3)) if case.get("amplitude", 1) else 0 * tone(BURST), begin + 1e-3)
        heard, at = receive(rx, 3 * BURST)
        inside = heard[1000 : 1000 + BURST]
        fit = np.vdot(tone(BURST, 1.0)[0], inside) / BURST
        rest = inside - fit * tone(BURST, 1.0)[0]
        results.append({
            "n": len(heard), "late_s": at - begin, "events": events(tx), "level": float(abs(fit)),
            "rest": float(np.sqrt(np.mean(np.abs(rest) ** 2))), "peak": float(np.abs(heard.view(np.float32)).max()),
            "before": float(np.abs(heard[:1000]).max()), "after": float(np.abs(heard[1001 + BURST :]).max()),
            "sum": heard.tobytes().hex() if case.get("keep") else "",
        })  # fmt: skip
        begin += 0.05
        del tx, rx
    return results


def mishaps(device, _):
    """Error codes of a continuous reception of 40 packets, and messages of 6 bursts."""
    tx, rx = streams(device)
    order(rx, 0, mode=Mode.start_cont)
    metadata, buffer, codes = uhd.types.RXMetadata(), np.zeros((1, 2040), np.complex64), []
    for _ in range(40):
        n = rx.recv(buffer, metadata, 1.0)
        codes.append([metadata.error_code.name, bool(metadata.out_of_sequence), n, metadata.time_spec.get_real_secs()])
    order(rx, 0, mode=Mode.stop_cont)
    now = device.get_time_now(0).get_real_secs()
    for i in range(6):
        send(tx, tone(500), now + 0.2 + 0.01 * i)
    locked = [device.get_mboard_sensor("ref_locked", 0).to_bool(), device.get_rx_sensor("lo_locked", 0).to_bool()]
    return {"codes": codes, "events": events(tx), "sensors": locked}


def slow(device, _):
    """What a program that reads nothing for a while gets, one that sends half a burst, and one that is late."""
    tx, rx = streams(device)
    order(rx, 0, mode=Mode.start_cont)
    time.sleep(0.6)  # beyond the device's memory of 64 packets
    metadata, buffer, codes, times = uhd.types.RXMetadata(), np.zeros((1, 2040), np.complex64), [], []
    for _ in range(100):
        n = rx.recv(buffer, metadata, 1.0)
        codes.append(metadata.error_code.name)
        times += [metadata.time_spec.get_real_secs()] * bool(n)
    order(rx, 0, mode=Mode.stop_cont)
    send(tx, tone(500), ends=False)
    underflow = events(tx)
    send(tx, tone(500), device.get_time_now(0).get_real_secs() - 1)
    late = events(tx)
    order(rx, 100, device.get_time_now(0).get_real_secs() - 1)
    for _ in range(100):  # what came before it, first
        rx.recv(buffer, metadata, 0.2)
        if metadata.error_code.name == "late":
            break
    return {"overflows": codes.count("overflow"), "gap_s": float(np.diff(times).max()), "underflow": underflow,
            "late": late, "late_command": metadata.error_code.name}  # fmt: skip


def policies(device, _):
    """A burst of five packets whose time has passed, under both policies: messages, and samples that are heard."""
    found = {}
    for policy in ("next_packet", "next_burst"):
        tx, rx = streams(device, policy=policy)
        order(rx, 60_000)
        send(tx, tone(5 * 2040), device.get_time_now(0).get_real_secs() - 1.0)
        heard, _ = receive(rx, 60_000, 0.5)
        found[policy] = [events(tx), int(np.sum(np.abs(heard) > 0.2))]
        del tx, rx
    return found


def until_it_fails(device, _):
    """Seconds of reception until a call raises, and what it says."""
    _, rx = streams(device)
    order(rx, 0, mode=Mode.start_cont)
    print("it is had", flush=True)
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < 60:
        try:
            receive(rx, 10_000, 0.5)
        except RuntimeError as error:
            return {"error": str(error)}
    return {}


def boards(device, _):
    """Times at which two boards' samples of one streamer begin, and PPS."""
    device.set_time_next_pps(uhd.types.TimeSpec(5.0))
    time.sleep(1.1)
    args = uhd.usrp.StreamArgs("sc16", "sc16")
    args.channels = [0, 1]
    for channel in args.channels:
        device.set_rx_rate(500e3, channel), device.set_rx_gain(38, channel)
    rx, begin = device.get_rx_stream(args), device.get_time_now(0).get_real_secs() + 0.1
    order(rx, 5000, begin)
    metadata, buffer = uhd.types.RXMetadata(), np.zeros((2, 5000), np.dtype([("re", np.int16), ("im", np.int16)]))
    got = rx.recv(buffer, metadata, 5.0)
    clocks = [device.get_time_now(board).get_real_secs() for board in (0, 1)]
    edges = [device.get_time_last_pps(board).get_real_secs() for board in (0, 1)]
    return {"got": got, "late_s": metadata.time_spec.get_real_secs() - begin, "boards": device.get_num_mboards(),
            "clocks": clocks, "edges": edges, "rms": [float(np.std(each["re"])) for each in buffer]}  # fmt: skip


def refusals(args, cases):
    """What our radio code says of devices (fault, clock or time source that is external) that cannot be used."""
    from tokenlink.radio.profiles import parse_profile
    from tokenlink.radio.usrp import DeviceError, Usrp

    found = []
    for fault, source in cases:
        settings = {"args": f"{args},fault={fault}" if fault else args, "tx": {}, "rx": {}}
        settings |= {source: "external"} if source else {}
        profile = parse_profile({"kind": "uhd", "samp_rate": 1e6, "uhd": settings})
        try:
            Usrp(profile, uhd)
            found.append("")
        except DeviceError as error:
            found.append(str(error))
    return found


def opened(device, _):
    """Names and numbers of a device."""
    return {"name": device.get_mboard_name(0), "rx": device.get_rx_num_channels(), "boards": device.get_num_mboards()}


def held(device, _):
    """As opened, once the standard input has ended."""
    print("it is had", flush=True)
    sys.stdin.read()
    return opened(device, _)


if __name__ == "__main__":
    try:
        on = sys.argv[2] if sys.argv[1] == "refusals" else uhd.usrp.MultiUSRP(sys.argv[2])
        said = globals()[sys.argv[1]](on, json.loads(sys.argv[3]) if len(sys.argv) > 3 else None)
    except RuntimeError as error:
        said = {"error": str(error)}
    print(json.dumps(said))
