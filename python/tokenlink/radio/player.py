# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings made and played: notes of bursts while a receiver records, and a recording in place of a radio."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from pathlib import Path

import numpy as np

from tokenlink.files.settings import shipped_or
from tokenlink.phy.frame import layout
from tokenlink.radio.known_bursts import TWIST, KnownTraffic, TrafficReceiver
from tokenlink.radio.recording import BurstNote, read_recording
from tokenlink.wire.iq_server import IqServer
from tokenlink.wire.iq_streams import CHUNK_SAMPLES


def note_of(reception, burst, tokens=None):
    """BurstNote of a Reception; ``tokens`` are those that were sent, None where they are not known."""
    n_symbols = layout(burst, reception.payload_symbols).n_symbols
    csi = {
        "channel_gain": reception.channel_gain, "n0": reception.n0, "esn0_db": reception.esn0_db,
        "cfo_hz": reception.cfo_hz, "power_dbfs": reception.power_dbfs,
    }  # fmt: skip
    start = max(int(reception.start), 0)
    return BurstNote(start, n_symbols * burst.pulse.sps, reception.slot, reception.mode_id, tokens, csi)


def tokens_sent(reception, truth):
    """Tokens of test traffic for a Reception of it, or None: other traffic, or another seed."""
    if truth is None or truth.mode_of(reception.slot).mode_id != reception.mode_id:
        return None
    tokens = truth.tokens(reception.slot)
    good = reception.parity_ok.any() and np.mean(tokens == reception.token_ids) > 0.5
    return tokens if good else None


def replay(recording, burst, table, payload=TWIST):
    """Decode a recording and compare it with its notes.

    Parameters
    ----------
    recording : Recording
    burst : BurstConfig
    table : ModeTable       or that of another system
    payload : Payload       of the system

    Returns
    -------
    dict   "bursts" received, "noted" in the recording, "missed" of them, "unnoted" received, "compared" with tokens
           that were sent, "wrong_tokens", "same": all noted bursts came with the noted tokens; "receptions": list
    """
    reader = TrafficReceiver(burst, table, recording.samp_rate, payload=payload)
    receptions = []
    ends = [start for start, _ in recording.pieces[1:]] + [len(recording.samples)]
    for (start, _), end in zip(recording.pieces, ends, strict=True):
        receptions += reader.feed(recording.samples[start:end]) + reader.flush()
    noted = {(note.slot, note.mode_id): note for note in recording.bursts}
    missed, wrong, compared = dict(noted), 0, 0
    for each in receptions:
        note = missed.pop((each.slot, each.mode_id), None)
        if note is not None and note.tokens is not None:
            compared += 1
            same = note.tokens.shape == each.token_ids.shape
            wrong += int(np.count_nonzero(note.tokens != each.token_ids)) if same else table.n_tokens
    unnoted = len(receptions) - (len(noted) - len(missed))
    return {
        "bursts": len(receptions), "noted": len(noted), "missed": len(missed), "unnoted": unnoted,
        "compared": compared, "wrong_tokens": wrong, "same": not missed and not wrong, "receptions": receptions,
        "receiver": {cause: n for cause, n in reader.counts.items() if n},
    }  # fmt: skip


class Player:
    """Serves a recording as a radio serves its samples: in lock step with the receiver, gaps where it has gaps.

    Parameters
    ----------
    path : Path
    address : str       as zmq writes it
    repeat : int        times it is played, one after the other
    link : str
    keys : CurveKeys
    """

    def __init__(self, path, address, repeat=1, link="forward", keys=None):
        self._recording = read_recording(path)
        self._server = IqServer(address, {link: self._recording.samp_rate}, allow_remote=keys is not None, keys=keys)
        self._link, self._parts = self._server.links[link], self._all_parts(repeat)
        self.address, self.samp_rate = self._server.address, self._recording.samp_rate
        self._rest, self._is_last, self.ended = np.zeros(0, np.complex64), False, False

    def _all_parts(self, repeat):
        """(samples missing before, samples, last one?) of every stretch."""
        pieces, samples = self._recording.pieces, self._recording.samples
        ends = [start for start, _ in pieces[1:]] + [len(samples)]
        for turn in range(repeat):
            position = pieces[0][1]
            for i, ((start, at), end) in enumerate(zip(pieces, ends, strict=True)):
                skip = max(at - position, 0) if i else int(turn > 0)  # a new turn is a gap
                yield skip, samples[start:end], turn == repeat - 1 and i == len(pieces) - 1
                position = at + end - start

    def step(self, timeout_s=0.05):
        """Send what the receiver has room for."""
        self._server.serve(timeout_s)
        rx = self._link.rx
        while rx.session is not None and not self.ended:
            if not len(self._rest) and not self._is_last:
                skip, self._rest, self._is_last = next(self._parts)
                rx.skip(skip)
            done = self._server.deliver(self._link, self._rest[:CHUNK_SAMPLES],
                                        last=self._is_last and len(self._rest) <= CHUNK_SAMPLES)
            self._rest = self._rest[done:]
            self.ended = self._is_last and not len(self._rest)
            if not done:
                return

    def run(self, stopping=lambda: False):
        """Serve until the end has been sent and the receiver has left, or ``stopping()``."""
        with contextlib.suppress(KeyboardInterrupt):
            while not stopping() and not (self.ended and self._link.rx.session is None):
                self.step()

    def close(self):
        """Close the socket."""
        self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def serve_recording(path, address, repeat=1, keys=None, say=lambda line: None):
    """Play a recording to whoever connects to ``address``, until its end or Ctrl-C."""
    with Player(path, address, repeat, keys=keys) as player:
        say(f"listening at {player.address}, {player.samp_rate:g} sample/s")
        sys.stdout.flush()
        player.run()


def table_hash(path):
    """SHA-256 of a mode table's YAML, a file or the name of one that ships, hexadecimal."""
    return hashlib.sha256(Path(shipped_or(path, "tokenlink.link")).read_bytes()).hexdigest()


def truth_of(profile, table, seed, mode_id=None, payload=TWIST):
    """KnownTraffic of a seed; None for None: nobody knows what was sent."""
    return None if seed is None else KnownTraffic(profile.burst, table, seed, mode_id, payload)
