# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a radio fit for a run: device, clock, rates, speed of samples, noise floor, and whether bursts come through."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np

from tokenlink.process.children import environment
from tokenlink.process.node import ERROR_PREFIX, NodeError
from tokenlink.radio.ends import transmit
from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
from tokenlink.radio.radio_process import UHD_SCRIPT

OK, NOTE, WRONG = "ok", "note", "wrong"
PROBE_TIMEOUT_S = 90.0
BURSTS = 12


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    name: str
    status: str
    detail: str


def probe(profile_name, profile, sides=("tx", "rx")):
    """Findings about the device of a profile, with these sides open: list of Finding; the last is WRONG when it cannot
    be used."""
    if profile.kind != "uhd":
        return [Finding("device", OK, f"{profile.kind} radio, {profile.description}")]
    command = [sys.executable, str(UHD_SCRIPT), "probe", "--profile", str(profile_name), "--sides", ",".join(sides)]
    try:
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return [Finding("device", WRONG, f"the USRP did not answer within {PROBE_TIMEOUT_S:g} s")]
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(ERROR_PREFIX)]
        said = lines[-1].removeprefix(ERROR_PREFIX) if lines else done.stderr.strip()[-300:]
        return [Finding("device", WRONG, said)]
    found = json.loads(done.stdout.splitlines()[-1])
    facts = found["facts"]
    rates = ", ".join(f"{side} {facts[f'{side}_rate']:.10g}" for side in ("tx", "rx") if f"{side}_rate" in facts)
    return [
        Finding("device", OK, f"{facts['mboard']}, {' '.join(facts['address'].split())}"),
        Finding("clock", OK, f"{profile.uhd.clock_source}, master clock {facts['master_clock_rate']:.10g} Hz"),
        Finding("rates", OK, f"{rates} sample/s, as asked for"),
        *(Finding("link", NOTE, note) for note in found["notes"]),
    ]


def require_device(profile_name, profile, sides):
    """Raise NodeError with one sentence when the USRP of a profile cannot be used as it says: it is missing, is
    another one, on a port too slow, or rounds a rate. Where the uhd module is missing only the flowgraph can tell."""
    wrong = [each for each in probe(profile_name, profile, sides) if each.status == WRONG]
    if wrong and "the uhd module is missing" not in wrong[-1].detail:
        raise NodeError(wrong[-1].detail)


def measure(sender, receiver, profile, table):
    """Findings about the streams of a radio whose ends are open: list of Finding."""
    traffic = KnownTraffic(profile.burst, table)
    reader = TrafficReceiver(profile.burst, table, profile.samp_rate, traffic)
    reader.warm_up(), traffic.warm_up()
    while receiver.recv(timeout_s=0.0) is not None:
        pass  # what waited meanwhile says nothing about speed
    report, levels, receptions, n_samples = {}, [], [], 0
    thread = threading.Thread(
        target=lambda: report.update(transmit(sender, traffic, profile, BURSTS)), daemon=True
    )
    thread.start()
    begin_s = heard_s = last_s = time.monotonic()
    while thread.is_alive() or time.monotonic() - heard_s < 0.5:
        item = receiver.recv(timeout_s=0.05)
        if item is not None:
            position, samples, jumped = item
            n_samples, last_s = n_samples + len(samples), time.monotonic()
            levels.append(_levels(samples))
            receptions += (reader.flush() if jumped else []) + reader.feed(samples)
            if thread.is_alive() or profile.kind == "virtual":
                heard_s = time.monotonic()
        if time.monotonic() - begin_s > 120:
            break
    took_s = max(last_s - begin_s, 1e-3)
    thread.join(5)
    receptions += reader.flush()
    return [
        _throughput(n_samples / took_s, profile, receiver.counts),
        *_quiet(np.concatenate(levels) if levels else np.zeros((0, 4))),
        _sent(report),
        _received(receptions, profile),
    ]


def _levels(samples):
    """Power, real and imaginary mean, and peak of every 1024 samples: float64 [n, 4]."""
    rows = samples[: len(samples) // 1024 * 1024].reshape(-1, 1024)
    parts = np.maximum(np.abs(rows.real), np.abs(rows.imag))
    means = rows.mean(axis=1)
    return np.stack([np.mean(np.abs(rows) ** 2, axis=1), means.real, means.imag, parts.max(axis=1, initial=0)], 1)


def _throughput(speed, profile, counts):
    ratio = speed / profile.samp_rate
    text = f"{speed / 1e6:.2f} Msample/s received, {ratio:.2f} of the sample rate; lost {counts['lost_samples']}"
    if not profile.is_device:
        return Finding("throughput", OK, f"{text}; the virtual radio need not keep up with a clock")
    fast = ratio > 0.95 and not counts["lost_samples"]
    return Finding("throughput", OK if fast else WRONG, text)


def _quiet(levels):
    if not len(levels):
        return [Finding("noise floor", WRONG, "no samples came")]
    quietest = levels[levels[:, 0] <= np.quantile(levels[:, 0], 0.25)]
    floor, offset = _db(np.median(quietest[:, 0])), _db(abs(np.mean(quietest[:, 1] + 1j * quietest[:, 2])) ** 2)
    status = OK if floor < -40 else NOTE
    peak = levels[:, 3].max()
    return [
        Finding("noise floor", status, f"{floor:.1f} dBFS between bursts, DC {offset:.1f} dBFS"),
        Finding("peak", OK if peak < 0.999 else NOTE, f"{_db(peak**2):.1f} dBFS" + ("" if peak < 0.999 else ": clips")),
    ]


def _sent(report):
    if not report:
        return Finding("transmitter", WRONG, "the bursts did not leave")
    text = f"{report['sent']} of {BURSTS} bursts left; late {report['late']}, underflow {report['underflow']}"
    return Finding("transmitter", OK if report["valid"] and report["sent"] == BURSTS else WRONG, text)


def _received(receptions, profile):
    if not receptions:
        status = NOTE if profile.is_device else WRONG
        return Finding("bursts", status, "none came back: no cable from TX to RX with attenuators, or gains too low")
    wrong = sum(each.wrong_tokens or 0 for each in receptions)
    snr, cfo = (float(np.median([getattr(each, name) for each in receptions])) for name in ("esn0_db", "cfo_hz"))
    text = f"{len(receptions)} of {BURSTS} came back, Es/N0 {snr:.1f} dB, carrier offset {cfo:.0f} Hz"
    return Finding("bursts", OK if len(receptions) == BURSTS else NOTE, f"{text}, {wrong} wrong tokens")


def _db(power):
    return 10 * np.log10(max(power, 1e-20))
