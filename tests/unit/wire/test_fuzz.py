# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded fuzzing of messages: whatever comes is a valid message or is refused by name, and every refusal is counted."""

from collections import Counter

import numpy as np
import pytest
import zmq

from tokenlink import wire
from tokenlink.wire.sockets import PullSocket

N_CASES = 3000
TOKENS = np.arange(40, dtype=np.int32)
SURE = np.linspace(0, 1, 40, dtype=np.float32)
MESSAGES = [
    wire.TokenFrame(3, 1, TOKENS),
    wire.TokenEstimate(3, 4, 1, TOKENS, SURE, TOKENS % 2 == 0, 1j, 0.1, 7.5),
    wire.LinkReport(3, 4, -20.0, 1j, 100.0, np.array([20, 3], np.int32), np.array([False, True]), {"counts": {"a": 2}}),
    wire.ModeCommand(5, 6, 2),
    wire.StateReport(5, 6, TOKENS, {"risk": 0.25, "truth": {"car": True}}),
    wire.Hello(0, 0, "camera", {"session": 1, "entries": {"a": "b"}}),
    wire.Bye(9, 0, "twin", "no reason", {"counts": {}}),
    wire.TokenPrior(3, 1, 1024, 20, "ab" * 32, TOKENS, SURE),
]
SPECIAL = [b"", b"\x00", b"TLNK", b"{}", b"null", b'{"mode_id":1e999}', b"[" * 3000, b'{"a":' * 2000, b"\xff" * 64]


def flip(frames, rng):
    """Change single bits of one frame."""
    at = rng.integers(len(frames))
    raw = bytearray(frames[at])
    for _ in range(rng.integers(1, 4)):
        if raw:
            raw[rng.integers(len(raw))] ^= 1 << rng.integers(8)
    return [*frames[:at], bytes(raw), *frames[at + 1 :]]


def cut(frames, rng):
    """Shorten or lengthen one frame."""
    at = rng.integers(len(frames))
    end = rng.integers(len(frames[at]) + 1)
    raw = frames[at][:end] if rng.random() < 0.5 else frames[at] + rng.bytes(rng.integers(1, 40))
    return [*frames[:at], raw, *frames[at + 1 :]]


def shuffle(frames, rng):
    """Leave frames out, repeat them, or change their order."""
    return [frames[each] for each in rng.integers(len(frames), size=rng.integers(0, 8))]


def replace(frames, rng):
    """Put something special, or noise, in place of one frame."""
    at = rng.integers(len(frames))
    raw = SPECIAL[rng.integers(len(SPECIAL))] if rng.random() < 0.7 else rng.bytes(rng.integers(0, 200))
    return [*frames[:at], raw, *frames[at + 1 :]]


def cases(seed, n_cases):
    rng = np.random.default_rng(seed)
    whole = [[bytes(frame) for frame in wire.encode(message)] for message in MESSAGES]
    for _ in range(n_cases):
        change = (flip, cut, shuffle, replace)[rng.integers(4)]
        yield change(whole[rng.integers(len(whole))], rng)


def test_whatever_comes_is_valid_or_refused_by_name():
    outcomes = Counter()
    for frames in cases(1, N_CASES):
        try:
            message = wire.decode(frames)
        except wire.WireError as error:
            outcomes[type(error).__name__] += 1
        else:
            outcomes["valid"] += 1
            wire.validate(message)
            assert wire.decode(wire.encode(message)) == message
    assert outcomes.total() == N_CASES and 0 < outcomes["valid"] < N_CASES / 2
    assert set(outcomes) >= {"NotAMessage", "TruncatedMessage", "OversizedMessage", "InvalidField", "UnknownKind"}


def test_a_socket_counts_every_refusal_and_goes_on():
    n_cases = 600
    with PullSocket("tcp://127.0.0.1:*", queue_messages=n_cases + 10, timeout_s=60.0) as pull:
        stranger = zmq.Context.instance().socket(zmq.PUSH)
        stranger.linger = 0
        stranger.set_hwm(n_cases + 10)
        stranger.connect(pull.address)
        sent = 0
        for frames in cases(2, n_cases):
            if frames:  # zmq sends no message without frames
                stranger.send_multipart(frames)
                sent += 1
        stranger.send_multipart(wire.encode(wire.Bye(2**40, 0, "end")))
        n_valid = 0
        while not ((message := pull.recv()) is None or isinstance(message, wire.Bye) and message.slot == 2**40):
            n_valid += 1
        stranger.close()
    refused = sum(count for cause, count in pull.counts.items() if cause[0].isupper())
    assert message is not None and n_valid + refused == sent == pull.counts["received"] - 1 + refused


@pytest.mark.parametrize("raw", SPECIAL)
def test_special_small_fields_are_refused(raw):
    frames = wire.encode(wire.ModeCommand(5, 6, 2))
    with pytest.raises(wire.WireError):
        wire.decode([frames[0], raw])
