# SPDX-License-Identifier: GPL-3.0-or-later
"""Gains by measurement: bursts at every pair of gains, and the pair that is best without clipping anything."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from tokenlink.files.settings import SettingError, read_settings
from tokenlink.files.writing import write_text
from tokenlink.radio.emulator import BLOCK_SAMPLES
from tokenlink.radio.ends import Pacer
from tokenlink.radio.families import FAMILIES
from tokenlink.radio.known_bursts import TWIST, KnownTraffic, TrafficReceiver, unwrap

SCHEMA = 1
#: a point is as good as the best one when its EVM is within this; of those the one with least gain is recommended
EVM_MARGIN_DB = 0.5
#: mean power of a burst below full scale that leaves room for its peaks and for fading
HEADROOM_DB = 10.0
SETTLE_S = 0.05
MAX_CLOCK_OFFSET = 2.5e-4


class CalibrationError(SettingError):
    """A calibration that cannot be used, or no gains at which the link works."""

    what = "calibration"


@dataclass(frozen=True)
class GainPoint:
    """What was measured at one pair of gains; figures are medians over bursts, None when none came.

    Attributes
    ----------
    tx_gain_db, rx_gain_db : float
    sent, received : int
    evm_db, esn0_db, power_dbfs, cfo_hz : float or None
    clipped : int          bursts with samples at full scale
    wrong_tokens : int
    """

    tx_gain_db: float
    rx_gain_db: float
    sent: int
    received: int
    evm_db: float | None
    esn0_db: float | None
    power_dbfs: float | None
    cfo_hz: float | None
    clipped: int
    wrong_tokens: int

    @property
    def is_usable(self):
        """Whether all bursts came, none clipped, with room for peaks."""
        return self.received == self.sent and not self.clipped and self.power_dbfs <= -HEADROOM_DB


def default_gains(profile, steps=6):
    """(tx gains, rx gains) to try: float64 arrays over what the radio has."""
    if profile.kind == "uhd":
        family = FAMILIES[profile.uhd.family]
        # daughterboards differ; nearly all have 31.5 dB
        ranges = [(low, 31.5 if high == 100 else high) for low, high in (family.tx_gain, family.rx_gain)]
    else:  # a device of SoapySDR is asked when a gain is set
        ranges = [(0.0, 60.0), (0.0, 60.0)] if profile.soapy else [(-20.0, 20.0), (0.0, 40.0)]
    return tuple(np.round(np.linspace(low, high, steps), 1) for low, high in ranges)


def sweep(sender, receiver, profile, table, tx_gains, rx_gains, n_bursts=4, mode_id=None, on_point=lambda point: None,
          payload=TWIST):  # fmt: skip
    """Measure at every pair of gains.

    Parameters
    ----------
    sender, receiver : IqSender, IqReceiver   open, of radios that hear each other
    profile : RadioProfile
    table : ModeTable                         or that of another system
    tx_gains, rx_gains : sequences of float   dB
    n_bursts : int                            at each pair
    mode_id : int or None                     None: one mode after the other
    on_point : callable                       gets every GainPoint
    payload : Payload                         of the system, whose peaks decide what clips

    Returns
    -------
    list of GainPoint

    Raises
    ------
    RadioRefused   a gain the radio does not have
    """
    traffic = KnownTraffic(profile.burst, table, mode_id=mode_id, payload=payload)
    points, slot = [], 0
    TrafficReceiver(profile.burst, table, profile.samp_rate, payload=payload).warm_up()
    for rx_gain in rx_gains:
        receiver.set(rx_gain_db=float(rx_gain))
        for tx_gain in tx_gains:
            sender.set(tx_gain_db=float(tx_gain))
            time.sleep(SETTLE_S if profile.is_device else 0)
            receptions = _exchange(sender, receiver, profile, table, traffic, slot, n_bursts)
            points.append(_point(tx_gain, rx_gain, n_bursts, receptions))
            on_point(points[-1])
            slot += n_bursts
    return points


def _exchange(sender, receiver, profile, table, traffic, first, n_bursts):
    """Receptions of bursts sent now."""
    pacer, begins = Pacer(sender, profile), (sender.position, receiver.position)

    def send():
        for slot in range(first, first + n_bursts):
            pacer.send(traffic.samples(slot))
        pacer.finish()

    reader = TrafficReceiver(profile.burst, table, profile.samp_rate, traffic, traffic.payload)
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    receptions, quiet_s, patience_s = [], time.monotonic(), 1.0 if profile.is_device else 10.0
    while time.monotonic() - quiet_s < patience_s:
        item = receiver.recv(timeout_s=0.05)
        if item is not None:
            position, samples, jumped = item
            receptions += (reader.flush() if jumped else []) + reader.feed(samples)
            if not profile.is_device or thread.is_alive():
                quiet_s = time.monotonic()
        last = max((unwrap(each.slot, first) for each in receptions), default=first - 1)
        if not thread.is_alive() and last >= first + n_bursts - 1:
            break
        if not thread.is_alive() and item is None and profile.kind == "virtual":
            # The air stands still once the receiver has all but the last blocks, which are silence; its clock may
            # differ by a little. Counted from where these bursts began: over a long sweep a little becomes much.
            sent, got = sender.position - begins[0], receiver.position - begins[1]
            if got > (1 - MAX_CLOCK_OFFSET) * sent - 2 * BLOCK_SAMPLES:
                break
    thread.join()
    receptions += reader.flush()
    return [each for each in receptions if first <= unwrap(each.slot, first) < first + n_bursts]


def _point(tx_gain, rx_gain, n_sent, receptions):
    def median(name):
        values = [getattr(each, name) for each in receptions if getattr(each, name) is not None]
        return float(np.median(values)) if values else None

    return GainPoint(
        float(tx_gain), float(rx_gain), n_sent, len({each.slot for each in receptions}), median("evm_db"),
        median("esn0_db"), median("power_dbfs"), median("cfo_hz"), sum(each.clipped > 0 for each in receptions),
        sum(each.wrong_tokens or 0 for each in receptions),
    )  # fmt: skip


def recommend(points):
    """The GainPoint to use: of those without clipping whose EVM is near the best, the one with the least gain.

    Raises
    ------
    CalibrationError   there is none; says what was wrong with the best one
    """
    usable = [point for point in points if point.is_usable and point.evm_db is not None]
    if not usable:
        came = max((point.received for point in points), default=0)
        clipped = sum(point.clipped > 0 or (point.power_dbfs or -99) > -HEADROOM_DB for point in points)
        raise CalibrationError(
            f"no gains are usable: at most {came} bursts came at one pair, {clipped} of {len(points)} pairs were too "
            f"loud; check antennas, cable and attenuator, or sweep other gains"
        )
    best = min(point.evm_db for point in usable)
    near = [point for point in usable if point.evm_db <= best + EVM_MARGIN_DB]
    return min(near, key=lambda point: (point.tx_gain_db + point.rx_gain_db, point.evm_db))


def write_calibration(path, profile, points, chosen):
    """Write a calibration file (YAML): profile, what is recommended, and every point."""
    content = {
        "schema": SCHEMA, "profile": profile.name, "samp_rate": float(profile.samp_rate),
        "recommended": asdict(chosen), "points": [asdict(point) for point in points],
    }  # fmt: skip
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump(content, sort_keys=False))


def read_gain(path, profile, side):
    """Recommended gain of a side ("tx" or "rx"), dB, from a calibration file.

    Raises
    ------
    CalibrationError   unreadable, of another profile or rate, or without a number
    """
    return read_settings(path, lambda raw: _parse_gain(raw, profile, side), CalibrationError)


def _parse_gain(raw, profile, side):
    require, name = CalibrationError.require, f"{side}_gain_db"
    known = isinstance(raw, dict) and raw.get("schema") == SCHEMA and isinstance(raw.get("recommended"), dict)
    require(known, "the content", raw, f"a calibration of schema {SCHEMA}, as ./twist radio calibrate writes it")
    for field, wanted in (("profile", profile.name), ("samp_rate", profile.samp_rate)):
        require(raw.get(field) == wanted, field, raw.get(field), f"{wanted!r}, that of the radio")
    gain = raw["recommended"].get(name)
    require(isinstance(gain, int | float) and not isinstance(gain, bool), f"recommended.{name}", gain, "a number of dB")
    return float(gain)
