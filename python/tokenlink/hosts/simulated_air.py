# SPDX-License-Identifier: GPL-3.0-or-later
"""The burst modem without GNU Radio: what a host sends and reads when its radio is the simulator.

The transmitter puts the burst of a frame into a message, of a frame in packets one burst behind the other; the receiver
draws the channel of each, with a random delay and carrier offset, and gives the samples to the same receiver that an
SDR feeds.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tokenlink.channel import Channel
from tokenlink.link.feedback_bursts import FeedbackReceiver, feedback_burst
from tokenlink.link.slots import extend
from tokenlink.link.tokcode import frame_channel
from tokenlink.phy.frame import modulate_burst
from tokenlink.phy.header import FIELDS, Header
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.wire import NO_MODE

MAX_CFO = 5e-3
MAX_DELAY_SAMPLES = 400
_TAIL_SAMPLES = 600
_STREAM, _REVERSE_SEED = 7, 1 << 20


def frame_burst(frame, mode, table, config, payload):
    """Samples of a frame in a mode: complex64, guards included; of one in packets P bursts of one length.

    Parameters
    ----------
    frame : object       as the payload encodes it
    mode : Mode
    table : ModeTable
    config : BurstConfig
    payload : Payload    of the system

    Raises
    ------
    ValueError   a frame that does not fit the table
    """
    packets = np.atleast_2d(payload.encode(frame, mode, table))
    sequence, bursts = frame.seq % (1 << FIELDS["frame"]), []
    for q, symbols in enumerate(packets):
        slot = (frame.slot * len(packets) + q) % (1 << FIELDS["slot"])
        header = Header(payload.number, mode.mode_id, sequence, slot, len(symbols))
        bursts.append(modulate_burst(header, symbols, config))
    return np.concatenate(bursts)


class SimulatedAir:
    """Gain, noise, delay and carrier offset of each slot, from one seed.

    Parameters
    ----------
    channel : ChannelConfig
    burst : BurstConfig
    seed : int
    """

    def __init__(self, channel, burst, seed):
        self._channel, self._burst, self._seed = Channel(channel, seed), burst, seed

    def pass_through(self, samples, slot):
        """What arrives of a burst, with noise around it: complex64 [n + some]."""
        state, rng = self._channel.draw(slot), np.random.default_rng((self._seed, _STREAM, slot))
        lead = rng.integers(MAX_DELAY_SAMPLES)
        out = np.zeros(lead + len(samples) + _TAIL_SAMPLES, np.complex64)
        turn = 2j * np.pi * rng.uniform(-MAX_CFO, MAX_CFO)
        out[lead : lead + len(samples)] = samples * state.channel_gain * np.exp(turn * np.arange(len(samples)))
        # The matched filter has unit energy, so its noise has the variance of the samples' noise.
        variance = self._burst.amplitude**2 * self._burst.pulse.sps * state.n0
        noise = rng.standard_normal((len(out), 2), np.float32) * np.float32(np.sqrt(variance / 2))
        return out + noise.view(np.complex64)[:, 0]


class FrameReceiver:
    """Estimates out of samples.

    Parameters
    ----------
    table : ModeTable
    burst : BurstConfig
    payload : Payload            of the system
    air : SimulatedAir or None   None: the samples are as received
    expected_of : slot -> Expected or None   what a frame is decoded with

    Attributes
    ----------
    counts : Counter   "estimates", why a burst was none ("foreign_system", "unknown_mode", "wrong_length",
                       "undecodable", "other_slot", and causes of the payload), and those of the BurstReceiver
    """

    def __init__(self, table, burst, payload, air=None, expected_of=lambda slot: None):
        self._table, self._payload, self._air, self._expected_of = table, payload, air, expected_of
        self._receiver = BurstReceiver(burst)
        self._counts = Counter()

    @property
    def counts(self):
        return self._counts + self._receiver.counters

    def receive(self, samples, slot):
        """Whatever whole bursts are in the samples of about this slot: list of (estimate, LinkReport)."""
        n_packets, bursts = self._payload.packets(self._table), []
        for q, part in enumerate(np.array_split(samples, n_packets)):
            arrived = part if self._air is None else self._air.pass_through(part, slot * n_packets + q)
            bursts += self._receiver.feed(arrived) + self._receiver.flush()
        fitting = [burst for burst in bursts if self._fits(burst.header)]
        if n_packets == 1:
            read = [self._read(burst, slot) for burst in fitting]
        else:
            read = [self._read_packets(fitting, slot, n_packets)] if fitting else []
        self._counts.update(each if isinstance(each, str) else "estimates" for each in read)
        return [each for each in read if not isinstance(each, str)]

    def _fits(self, header):
        """Whether a burst is one of this payload; counted by cause where not."""
        if header.system != self._payload.number:
            cause = "foreign_system"
        elif header.mode_id >= len(self._table.modes):
            cause = "unknown_mode"
        elif not self._payload.fits(header.payload_symbols, self._table.mode(header.mode_id), self._table):
            cause = "wrong_length"
        else:
            return True
        self._counts[cause] += 1
        return False

    def _read_packets(self, bursts, slot, n_packets):
        """A frame in packets, those that did not come as noise."""
        first = bursts[0].header
        alike = [burst for burst in bursts if (burst.header.mode_id, len(burst.payload)) ==
                 (first.mode_id, len(bursts[0].payload))]  # fmt: skip
        symbols = np.zeros((n_packets, len(bursts[0].payload)), np.complex64)
        gains, n0, known = np.ones_like(symbols), np.ones(n_packets), []
        for burst in alike:
            near, q = divmod(extend(burst.header.slot, slot * n_packets), n_packets)
            if near == slot:
                symbols[q], gains[q], n0[q] = burst.payload, burst.channel_gain, burst.n0
                known.append((complex(np.mean(burst.channel_gain)), float(burst.n0), burst.esn0_db))
        if not known:
            return "other_slot"
        link = dict(zip(("channel_gain", "n0", "esn0_db"), frame_channel(known), strict=True))
        mode = self._table.mode(first.mode_id)
        estimate, report = self._payload.decode(symbols, gains, n0, mode, self._table, {"slot": slot, "seq": 0} | link)
        return report.drops["lost"] if estimate.mode_id == NO_MODE else (estimate, report)

    def _read(self, burst, near_slot):
        header, table = burst.header, self._table
        mode = table.mode(header.mode_id)
        link = {
            "slot": extend(header.slot, near_slot),
            "seq": 0,
            "channel_gain": complex(np.mean(burst.channel_gain)),
            "n0": float(burst.n0),
            "esn0_db": burst.esn0_db,
        }
        try:
            expected = self._expected_of(link["slot"])
            found = self._payload.decode(burst.payload, burst.channel_gain, burst.n0, mode, table, link, expected)
        except ValueError:
            return "undecodable"
        estimate, report = found
        return report.drops["lost"] if estimate.mode_id == NO_MODE else found


class ReverseAir:
    """The reverse link: bursts of mode commands, through a channel of their own.

    Parameters
    ----------
    channel : ChannelConfig
    burst : BurstConfig
    seed : int
    n_modes : int   modes of the table
    """

    def __init__(self, channel, burst, seed, n_modes):
        self._burst, self._air = burst, SimulatedAir(channel, burst, seed + _REVERSE_SEED)
        self._receiver = FeedbackReceiver(burst, n_modes)
        self._number = 0

    @property
    def counts(self):
        return self._receiver.counts

    def send(self, slot, mode_id):
        """Samples of the command for a slot: complex64."""
        self._number += 1
        return feedback_burst(slot, mode_id, self._number, self._burst)

    def receive(self, samples, slot):
        """Commands in samples of about this slot: list of Feedback."""
        received = self._air.pass_through(samples, slot)
        return self._receiver.feed(received, slot) + self._receiver.flush(slot)
