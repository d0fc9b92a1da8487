# SPDX-License-Identifier: GPL-3.0-or-later
"""A transmitter and a receiver of test traffic at any radio, and what their runs say about themselves."""

from __future__ import annotations

import time

import numpy as np

from tokenlink.phy.frame import papr_db, peak
from tokenlink.radio.known_bursts import LinkFigures, unwrap

#: counter of a radio's process -> what it means for a run
LATE = ("device_late", "device_time_error", "late")
UNDERFLOW = ("device_underflow", "device_underflow_in_packet")
LOST = ("lost_samples", "device_unsent_samples")
LOST_PACKETS = ("device_seq_error", "device_seq_error_in_packet")
#: what a device says of each burst, one of them
_FATES = ("device_burst_ack", "device_time_error", "device_seq_error")


def verdict(counts, limits):
    """Whether a run is valid, and if not, why.

    Parameters
    ----------
    counts : dict    counters of an end
    limits : Limits

    Returns
    -------
    dict   "valid": bool, "late", "underflow", "lost_samples", "lost_packets": int, "why": str, empty when valid
    """
    sums = {
        "late": sum(counts.get(name, 0) for name in LATE),
        "underflow": sum(counts.get(name, 0) for name in UNDERFLOW),
        "lost_samples": sum(counts.get(name, 0) for name in LOST),
        "lost_packets": sum(counts.get(name, 0) for name in LOST_PACKETS),
    }
    over = [f"{name} {n}, allowed {getattr(limits, name)}" for name, n in sums.items() if n > getattr(limits, name)]
    return {"valid": not over, **sums, "why": "; ".join(over)}


class Peaks:
    """What bursts ask of a transmitter's converter: the largest peak, and how far it is above the mean power.

    Parameters
    ----------
    burst : BurstConfig
    """

    def __init__(self, burst):
        self._guard = burst.guard_symbols * burst.pulse.sps
        self._peak, self._papr_db, self._over = 0.0, [], 0

    def add(self, samples):
        """Samples of a burst, guards included: complex64 [n]."""
        largest = peak(samples)
        self._peak, self._over = max(self._peak, largest), self._over + (largest > 1)
        self._papr_db.append(papr_db(samples[self._guard : -self._guard]))

    def summary(self):
        """ "papr_db": median and largest over the bursts, "peak_dbfs": largest part of a sample, "over_full_scale":
        bursts that a radio clips."""
        if not self._papr_db:
            return {"papr_db": None, "peak_dbfs": None, "over_full_scale": 0}
        papr = {"median": float(np.median(self._papr_db)), "largest": max(self._papr_db)}
        return {"papr_db": papr, "peak_dbfs": float(20 * np.log10(self._peak)), "over_full_scale": self._over}


class Pacer:
    """Sends bursts at instants a slot apart, silence before each, so that an amplifier has settled.

    Parameters
    ----------
    sender : IqSender        open
    profile : RadioProfile
    timeout_s : float        how long a burst may wait for room; of a virtual radio, which waits for a receiver itself,
                             beyond the time that it does
    """

    def __init__(self, sender, profile, timeout_s=10.0):
        patience_s = profile.virtual.start_s + profile.virtual.stall_s if profile.virtual else 0.0
        self._sender, self._timeout_s = sender, timeout_s + patience_s
        rate, timing = profile.samp_rate, profile.timing
        self._guard, self._slot = round(timing.zero_guard_s * rate), round(timing.slot_s * rate)
        self._idle = profile.virtual.idle_samples if profile.virtual else 0
        self._next = sender.position + (round(timing.lead_s * rate) if profile.is_device else 0)
        self.late = 0

    def send(self, samples):
        """Send a burst at the next instant; whether it went out. False: its time had passed, or there was no room."""
        begin, sender = self._next, self._sender
        self._next += max(self._slot, self._guard + len(samples))
        if sender.position > begin:  # the radio's time went on without us
            self.late += 1
            self._next = max(self._next, sender.position + self._slot)
            return False
        if not sender.advance(begin, self._timeout_s):
            return False
        whole = np.concatenate([np.zeros(self._guard, np.complex64), samples])
        return sender.send(whole, self._timeout_s) == len(whole)

    def finish(self):
        """Silence after the last burst, so that a receiver that works in blocks gets to its end."""
        self._sender.advance(max(self._sender.position, self._next) + self._idle, self._timeout_s)


def _wait_for_fates(sender, profile, told, sent):
    """Wait until a USRP has told what became of the bursts sent, as far ahead as they may be: ``told`` before them."""
    deadline_s = time.monotonic() + 4 * profile.timing.lead_s + 1.0
    while _told(sender) - told < sent and time.monotonic() < deadline_s and not sender.is_gone():
        sender.wait_open(0.0)
        time.sleep(0.01)


def _told(sender):
    return sum(sender.counts[name] for name in _FATES)


def transmit(sender, traffic, profile, n_bursts, first_slot=0, on_burst=lambda slot: None, stopping=lambda: False):
    """Send test bursts.

    Parameters
    ----------
    sender : IqSender        open
    traffic : KnownTraffic
    profile : RadioProfile
    n_bursts, first_slot : int
    on_burst, stopping : callable

    Returns
    -------
    dict   "sent", "not_sent", "samples_per_s", "counts", and those of ``verdict`` and of ``Peaks``
    """
    traffic.warm_up()
    sender.wait_open()  # takes in how far the radio's time has come meanwhile
    told = _told(sender)
    pacer, sent, asked, begin_s, begin = Pacer(sender, profile), 0, 0, time.monotonic(), sender.position
    peaks = Peaks(profile.burst)
    for slot in range(first_slot, first_slot + n_bursts):
        if stopping() or sender.is_gone():
            break
        asked += 1
        samples = traffic.samples(slot)
        peaks.add(samples)
        sent += pacer.send(samples)
        on_burst(slot)
    pacer.finish()
    took_s = max(time.monotonic() - begin_s, 1e-9)
    if profile.kind == "uhd":
        _wait_for_fates(sender, profile, told, sent)
    counts = dict(sender.counts) | {"late": pacer.late}
    return {
        "sent": sent, "not_sent": asked - sent, "samples_per_s": (sender.position - begin) / took_s, "counts": counts,
        **peaks.summary(), **verdict(counts, profile.limits),
    }  # fmt: skip


def receive(receiver, reader, profile, table, n_bursts=None, duration_s=None, idle_s=10.0, on_samples=None,
            on_reception=lambda reception: None, stopping=lambda: False):  # fmt: skip
    """Receive until enough bursts came, the time is over, or nothing has come for a while.

    Parameters
    ----------
    receiver : IqReceiver
    reader : TrafficReceiver
    profile : RadioProfile
    table : ModeTable
    n_bursts : int or None       stop after the burst of this many slots from the first one on
    duration_s : float or None   stop after this long
    idle_s : float               stop when no sample came for this long
    on_samples : callable        gets (position, samples, jumped) of every piece
    on_reception, stopping : callable

    Returns
    -------
    dict   of LinkFigures.summary, with "missed" slots between the first and the last, "samples_per_s", "counts" of the
           end, "receiver" counters, and those of ``verdict``
    """
    figures, begin_s, heard_s, samples = LinkFigures(table), time.monotonic(), time.monotonic(), 0
    warm = profile.timing.warmup_bursts if profile.is_device else 0
    slots = []
    while not stopping() and not _is_over(begin_s, duration_s, slots, n_bursts):
        item = receiver.recv(16384, 0.1)
        receptions = []
        if item is None:
            if receiver.ended or receiver.is_gone() or time.monotonic() - heard_s > idle_s:
                break
            continue
        position, piece, jumped = item
        heard_s, samples = time.monotonic(), samples + len(piece)
        if on_samples:
            on_samples(position, piece, jumped)
        if jumped:
            receptions += reader.flush()
        receptions += reader.feed(piece)
        _take(receptions, figures, slots, warm, on_reception)
    _take(reader.flush(), figures, slots, warm, on_reception)
    took_s = max(time.monotonic() - begin_s, 1e-9)
    span = max(slots) - min(slots) + 1 if slots else 0
    counts = dict(receiver.counts)
    return {
        **figures.summary(), "warmup_bursts": min(warm, len(slots)), "missed": span - len(set(slots)),
        "samples_per_s": samples / took_s, "counts": counts, "receiver": {k: v for k, v in reader.counts.items() if v},
        **verdict(counts, profile.limits),
    }  # fmt: skip


def _is_over(begin_s, duration_s, slots, n_bursts):
    if duration_s is not None and time.monotonic() - begin_s > duration_s:
        return True
    return bool(n_bursts is not None and slots and max(slots) - min(slots) + 1 >= n_bursts)


def _take(receptions, figures, slots, warm, on_reception):
    for reception in receptions:
        slots.append(unwrap(reception.slot, slots[0] if slots else reception.slot))
        if len(slots) > warm:
            figures.add(reception)
        on_reception(reception)
