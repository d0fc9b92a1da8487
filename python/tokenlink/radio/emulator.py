# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual radio's air: links in lock step, each with impairments of its own, whatever the timing of processes.

A link's time goes on in blocks of BLOCK_SAMPLES as soon as the transmitter has declared them and the receiver has room.
So what the receiver gets depends on the transmitter's samples and the seed only. An end that is late, stalled or gone
does not hold up the other one for ever: silence then takes the place of its samples, or they are dropped, and counted.
"""

from dataclasses import dataclass

import numpy as np

from tokenlink.wire.iq_server import IqServer

BLOCK_SAMPLES = 4096
_MAX_PENDING = 4 * BLOCK_SAMPLES
_MAX_BLOCKS = 64


@dataclass(frozen=True)
class Patience:
    """How long one end of a link waits for the other.

    Parameters
    ----------
    start_s : float   for an end that has not come yet, s, >= 0
    stall_s : float   for one that has come: a transmitter without sign of life, a receiver that takes nothing, s;
                      >= 0.5, as signs of life come that often

    Raises
    ------
    ValueError   a value out of range
    """

    start_s: float = 60.0
    stall_s: float = 10.0

    def __post_init__(self):
        for name, low in (("start_s", 0), ("stall_s", 0.5)):
            if not getattr(self, name) >= low:
                raise ValueError(f"{name} is {getattr(self, name)}, must be >= {low}")


class LinkEngine:
    """Moves one link on.

    Parameters
    ----------
    link : Link            of an IqServer
    server : IqServer
    stream : object        ``process`` takes and gives complex64 [n], such as an ImpairmentStream
    patience : Patience

    Attributes
    ----------
    counts : Counter   "samples" through the air; "filled": silence in place of a transmitter that does not answer;
                       "dropped": for a receiver that does not, both zero in a run that is in lock step; "after_end" and
                       "unheard": after a transmitter, and a receiver, had said that it leaves
    """

    def __init__(self, link, server, stream, patience):
        self.link, self.counts = link, link.counts
        self._server, self._stream, self._patience = server, stream, patience
        self._pending = np.zeros(0, np.complex64)
        self._fill_from_s = None

    @property
    def in_lock_step(self):
        """Whether nothing was filled in or dropped so far."""
        return not (self.counts["filled"] or self.counts["dropped"] or self.counts["behind"])

    def step(self, now_s):
        """Do what can be done at time ``now_s`` of the server; whether anything moved."""
        moved = self._deliver(now_s)
        for _ in range(_MAX_BLOCKS):
            if len(self._pending) > _MAX_PENDING or not self._may_go(now_s):
                break
            out = self._stream.process(self.link.tx.read(BLOCK_SAMPLES))
            self.counts["samples"] += BLOCK_SAMPLES
            self._pending = np.concatenate([self._pending, out])
            self._deliver(now_s)
            moved = True
        self._server.grant(self.link)
        return moved

    def _may_go(self, now_s):
        tx, rx = self.link.tx, self.link.rx
        if tx.declared - tx.time >= BLOCK_SAMPLES:
            self._fill_from_s = None
            # a receiver that is still to come gets the first sample too
            return rx.session is not None or self._has_waited(tx, rx, now_s)
        if now_s - tx.heard_s < self._patience.stall_s or rx.session is None or rx.room < BLOCK_SAMPLES:
            self._fill_from_s = None
            return False
        return self._may_fill(tx, rx, now_s)

    def _has_waited(self, end, other, now_s):
        """Whether `end` has waited long enough for `other`, which is not there."""
        if other.opened_s == -np.inf:
            return now_s - end.opened_s > self._patience.start_s
        return now_s - max(other.heard_s, end.opened_s) > self._patience.stall_s

    def _may_fill(self, tx, rx, now_s):
        """Silence instead of samples, no faster than the sample rate."""
        if self._fill_from_s is None:
            if not (tx.opened_s > -np.inf or self._has_waited(rx, tx, now_s)):
                return False
            self._fill_from_s, self._filled = now_s, 0
        if self._filled > (now_s - self._fill_from_s) * self.link.samp_rate:
            return False
        self._filled += BLOCK_SAMPLES
        self.counts["after_end" if tx.has_left else "filled"] += BLOCK_SAMPLES
        return True

    def _deliver(self, now_s):
        rx, done = self.link.rx, 0
        if len(self._pending):
            done = self._server.deliver(self.link, self._pending)
            stuck = now_s - max(rx.moved_s, rx.opened_s) > self._patience.stall_s
            if rx.session is None or (stuck and not rx.room):
                if len(self._pending) - done >= BLOCK_SAMPLES or rx.session is None:
                    lost = len(self._pending) - done
                    self.counts["unheard" if rx.has_left else "dropped"] += lost
                    rx.skip(lost)
                    done += lost
            self._pending = self._pending[done:]
        return done > 0


class Emulator:
    """Serves all links of a virtual radio.

    Parameters
    ----------
    address : str        as zmq writes it
    samp_rate : float    Hz, of all links
    streams : dict       link name -> object with ``process``, such as an ImpairmentStream
    patience : Patience
    allow_remote : bool  bind to an address other machines reach; needs ``keys``
    keys : CurveKeys     encrypt; None: plain

    Attributes
    ----------
    address : str   where it listens
    """

    def __init__(self, address, samp_rate, streams, patience=None, allow_remote=False, keys=None):
        self._server = IqServer(address, dict.fromkeys(streams, float(samp_rate)), allow_remote=allow_remote, keys=keys)
        self.address = self._server.address
        self._server.on_set = lambda link, role, values: self._set(streams[link.name], role, values)
        patience = patience or Patience()
        self.engines = [LinkEngine(self._server.links[name], self._server, streams[name], patience) for name in streams]

    @staticmethod
    def _set(stream, role, values):
        """Settings of a stream that has some; each end may change its own gain and frequency only."""
        own = (f"{role}_gain_db", f"{role}_freq_hz")
        for name in values:
            if name not in own or not hasattr(stream, "set"):
                raise ValueError(f"{name} cannot be set at the {role} end of this radio, only {' and '.join(own)}")
        stream.set(**{name: float(value) for name, value in values.items()})

    def step(self, timeout_s=0.05):
        """Take in messages, waiting up to ``timeout_s`` for one when there is nothing to do, and move all links on."""
        self._server.serve(timeout_s)
        moving = True
        while moving:
            now_s = self._server.now_s
            moving = any([engine.step(now_s) for engine in self.engines])
            self._server.serve(0.0)

    def run(self, stopping=lambda: False, on_step=None):
        """Serve until ``stopping()``; ``on_step`` is called after each step, several times a second at least."""
        while not stopping():
            self.step()
            if on_step:
                on_step(self)

    def report(self):
        """What happened: dict of links with counts, time in samples and lock step, and the counts of the socket."""
        links = {}
        for engine in self.engines:
            link = engine.link
            links[link.name] = {
                "time_samples": link.tx.time,
                "in_lock_step": engine.in_lock_step,
                "tx": link.tx.session is not None,
                "rx": link.rx.session is not None,
                "counts": dict(link.counts),
            }
        return {"links": links, "wire": dict(self._server.counts)}

    def close(self):
        """Close the socket."""
        self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
