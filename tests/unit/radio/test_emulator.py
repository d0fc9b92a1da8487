# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual radio: same seed, same samples, whatever the timing; ends that are late, stalled, restarted, strange."""

import re
import threading
import time

import numpy as np
import pytest

from tokenlink.radio.emulator import BLOCK_SAMPLES, Emulator, Patience
from tokenlink.radio.profiles import parse_profile
from tokenlink.radio.radio_process import make_emulator
from tokenlink.wire import Hello, IqSamples
from tokenlink.wire.curve_keys import load_host_keys, write_host_keys
from tokenlink.wire.duplex import ClientSocket
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.iq_streams import WINDOW_SAMPLES, IqReceiver, IqSender
from tokenlink.wire.sockets import new_key_pair

ANY_PORT = "tcp://127.0.0.1:*"
RATE = 1e6
WAIT_S = 60.0  # for a machine that has other work


class Noise:
    """An air that adds noise and remembers, so that its output depends on all that went before."""

    def __init__(self, seed):
        self._rng, self._last = np.random.default_rng(seed), np.complex64(0)

    def process(self, samples):
        noise = self._rng.standard_normal((len(samples), 2), np.float32).view(np.complex64)[:, 0]
        out = samples + np.float32(0.1) * noise + np.float32(0.5) * np.append(self._last, samples[:-1])
        self._last = samples[-1]
        return out.astype(np.complex64)


class Radios:
    """Emulators in threads."""

    def __init__(self):
        self._running = {}

    def __call__(self, seed=1, patience=None, names=("forward",), address=ANY_PORT):
        emulator, stop = Emulator(address, RATE, {name: Noise(seed) for name in names}, patience), threading.Event()
        thread = threading.Thread(target=emulator.run, args=(stop.is_set,))
        thread.start()
        self._running[emulator] = stop, thread
        return emulator

    def stop(self, emulator):
        stop, thread = self._running.pop(emulator)
        stop.set()
        thread.join()
        emulator.close()


@pytest.fixture
def radio():
    radios = Radios()
    yield radios
    for emulator in list(radios._running):
        radios.stop(emulator)


def bursts(n_samples=300_000, seed=5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_samples, 2), np.float32).view(np.complex64)[:, 0]


def air(sent, seed=1):
    """What comes of whole blocks of samples, computed without any process."""
    n = len(sent) // BLOCK_SAMPLES * BLOCK_SAMPLES
    noise = Noise(seed)
    return np.concatenate([noise.process(sent[i : i + BLOCK_SAMPLES]) for i in range(0, n, BLOCK_SAMPLES)])


def collect(receiver, n_samples, max_samples=16384, pause=None):
    got, jumps = [], []
    n_samples = max(n_samples, 1)
    deadline_s = time.monotonic() + WAIT_S
    while sum(map(len, got)) < n_samples and time.monotonic() < deadline_s:
        item = receiver.recv(max_samples, 0.2)
        if item is not None:
            position, samples, jumped = item
            if jumped:
                jumps.append((sum(map(len, got)), position))
            got.append(samples)
        if pause:
            pause()
    return np.concatenate(got or [np.zeros(0, np.complex64)]), jumps


def send_all(sender, samples, sizes):
    begin, i = 0, 0
    while begin < len(samples):
        piece = samples[begin : begin + sizes[i % len(sizes)]]
        assert sender.send(piece, WAIT_S) == len(piece)
        begin, i = begin + len(piece), i + 1


def send_and_collect(sender, samples, receiver, n_samples):
    """Both at a time."""
    thread = threading.Thread(target=send_all, args=(sender, samples, [len(samples)]))
    thread.start()
    collected = collect(receiver, n_samples)
    thread.join()
    return collected


@pytest.mark.parametrize(("sizes", "take", "slow"), [([300_000], 16384, False), ([1, 5000, 70_000], 777, True)])
def test_samples_depend_on_the_seed_only(radio, sizes, take, slow):
    emulator, sent = radio(), bursts()
    rng = np.random.default_rng(3)
    with IqSender(emulator.address, samp_rate=RATE) as tx, IqReceiver(emulator.address, samp_rate=RATE) as rx:
        sender = threading.Thread(target=send_all, args=(tx, sent, sizes))
        sender.start()
        pause = (lambda: time.sleep(0.02) if rng.random() < 0.05 else None) if slow else None
        got, jumps = collect(rx, len(air(sent)), take, pause)
        sender.join()
    np.testing.assert_array_equal(got, air(sent))
    assert jumps == [(0, 0)] and emulator.engines[0].in_lock_step


def test_what_is_not_sent_is_silence_on_the_air(radio):
    emulator, sent = radio(), bursts(1000)
    far = 3 * WINDOW_SAMPLES
    with IqSender(emulator.address, samp_rate=RATE) as tx, IqReceiver(emulator.address, samp_rate=RATE) as rx:
        assert tx.send(sent) == len(sent)
        results = []
        reader = threading.Thread(target=lambda: results.append(collect(rx, 4 * WINDOW_SAMPLES)))
        reader.start()
        assert tx.advance(far, WAIT_S) and tx.position == far
        assert tx.send(sent) == len(sent) and tx.advance(4 * WINDOW_SAMPLES, WAIT_S)
        reader.join()
    silence = np.zeros(far - len(sent), np.complex64)
    whole = np.concatenate([sent, silence, sent, np.zeros(WINDOW_SAMPLES - len(sent), np.complex64)])
    np.testing.assert_array_equal(results[0][0], air(whole))


def test_a_sender_without_receiver_runs_out_of_credit_and_does_not_hang(radio):
    emulator = radio()
    with IqSender(emulator.address, samp_rate=RATE) as tx:
        assert tx.wait_open(WAIT_S)
        assert tx.send(bursts(), timeout_s=0.2) == WINDOW_SAMPLES
        assert tx.send(bursts(10), timeout_s=0.0) == 0


def test_a_late_receiver_gets_the_first_sample_too(radio):
    emulator, sent = radio(), bursts(100_000)
    with IqSender(emulator.address, samp_rate=RATE) as tx:
        assert tx.send(sent) == len(sent)
        time.sleep(0.1)
        with IqReceiver(emulator.address, samp_rate=RATE) as rx:
            got, _ = collect(rx, len(air(sent)))
    np.testing.assert_array_equal(got, air(sent))


def check_pieces(got, jumps, whole):
    """Every stretch of what came is what the air holds at its position."""
    ends = [begin for begin, _ in jumps[1:]] + [len(got)]
    for (begin, position), end in zip(jumps, ends, strict=True):
        np.testing.assert_array_equal(got[begin:end], whole[position : position + end - begin])


def test_a_receiver_that_never_comes_or_leaves_does_not_hold_up_the_sender(radio):
    emulator, sent = radio(patience=Patience(0.3, 1.0)), bursts()
    with IqSender(emulator.address, samp_rate=RATE) as tx:
        assert tx.send(sent, WAIT_S) == len(sent)
        with IqReceiver(emulator.address, samp_rate=RATE) as rx:
            got, jumps = send_and_collect(tx, sent, rx, BLOCK_SAMPLES)
            assert jumps[0][1] > len(sent) - WINDOW_SAMPLES - BLOCK_SAMPLES
            check_pieces(got, jumps, air(np.tile(sent, 2)))
        assert tx.send(sent, WAIT_S) == len(sent)
    counts = emulator.engines[0].counts
    assert counts["dropped"] > 0 and counts["unheard"] > 0 and not emulator.engines[0].in_lock_step


def test_a_stalled_receiver_loses_samples_and_sees_the_gap(radio):
    emulator, sent = radio(patience=Patience(5.0, 1.0)), bursts(4 * WINDOW_SAMPLES)
    with IqSender(emulator.address, samp_rate=RATE) as tx, IqReceiver(emulator.address, samp_rate=RATE) as rx:
        assert tx.send(sent[:BLOCK_SAMPLES]) == BLOCK_SAMPLES
        first, jumps = collect(rx, 1, 1)
        assert jumps == [(0, 0)]
        assert tx.send(sent[BLOCK_SAMPLES:], WAIT_S) == len(sent) - BLOCK_SAMPLES, "it takes nothing, that goes on"
        dropped = emulator.engines[0].counts["dropped"]
        rest, gaps = collect(rx, emulator.engines[0].link.rx.position - dropped - 1)
        more, more_gaps = send_and_collect(tx, sent, rx, BLOCK_SAMPLES)
    assert dropped >= WINDOW_SAMPLES and len(gaps + more_gaps) == rx.counts["gaps"] >= 1
    jumps += [(begin + 1, position) for begin, position in gaps]
    jumps += [(begin + 1 + len(rest), position) for begin, position in more_gaps]
    check_pieces(np.concatenate([first, rest, more]), jumps, air(np.tile(sent, 2)))
    assert rx.counts["lost_samples"] == jumps[-1][1] - jumps[-1][0]


def test_silence_takes_the_place_of_a_sender_that_is_gone(radio):
    emulator, sent = radio(patience=Patience(0.3, 1.0)), bursts(BLOCK_SAMPLES)
    with IqReceiver(emulator.address, samp_rate=RATE) as rx:
        got, _ = collect(rx, 5 * BLOCK_SAMPLES)
        np.testing.assert_array_equal(got[: 5 * BLOCK_SAMPLES], air(np.zeros(5 * BLOCK_SAMPLES, np.complex64)))
        with IqSender(emulator.address, samp_rate=RATE) as tx:
            assert tx.wait_open() and tx.position >= 5 * BLOCK_SAMPLES, "it begins where the air is"
            assert tx.send(sent) == len(sent)
    assert emulator.engines[0].counts["filled"] >= 5 * BLOCK_SAMPLES


def test_a_restarted_sender_goes_on_where_the_air_is(radio):
    emulator, sent = radio(), bursts(2 * BLOCK_SAMPLES)
    with IqReceiver(emulator.address, samp_rate=RATE) as rx:
        for _ in range(2):
            with IqSender(emulator.address, samp_rate=RATE) as tx:
                assert tx.send(sent, WAIT_S) == len(sent)
        got, _ = collect(rx, 2 * len(sent))
    np.testing.assert_array_equal(got, air(np.concatenate([sent, sent])))


def test_a_restarted_radio_is_noticed_at_both_ends(radio, tmp_path):
    # No port: one that is free for a moment may be taken, even by an end that tries to connect to it.
    first, sent = radio(address=f"ipc://{tmp_path}/air"), bursts(BLOCK_SAMPLES)
    with IqSender(first.address, samp_rate=RATE) as tx, IqReceiver(first.address, samp_rate=RATE) as rx:
        assert tx.send(sent) and len(collect(rx, len(sent))[0]) == len(sent)
        address = first.address
        radio.stop(first)
        radio(address=address)
        deadline_s = time.monotonic() + WAIT_S
        while not tx.counts["radio_restarted"] and time.monotonic() < deadline_s:
            tx.wait_open(0.1)
        assert tx.position == 0 and tx.send(sent, WAIT_S) == len(sent)
        got, jumps = collect(rx, len(sent))
    np.testing.assert_array_equal(got, air(sent))
    assert jumps == [(0, 0)] and rx.counts["radio_restarted"] == 1


def test_links_do_not_hold_up_each_other(radio):
    emulator, sent = radio(names=("forward", "reverse")), bursts(BLOCK_SAMPLES)
    with IqSender(emulator.address, "forward", RATE) as stuck, IqSender(emulator.address, "reverse", RATE) as tx:
        assert stuck.wait_open(WAIT_S)
        assert stuck.send(bursts(), 0.2) == WINDOW_SAMPLES
        with IqReceiver(emulator.address, "reverse", RATE) as rx:
            assert tx.send(sent) == len(sent)
            np.testing.assert_array_equal(collect(rx, len(sent))[0], air(sent))


def test_silence_of_a_radio_is_counted_from_its_last_word(radio):
    emulator = radio()
    with IqSender("tcp://127.0.0.1:9", samp_rate=RATE) as lonely, IqSender(emulator.address, samp_rate=RATE) as tx:
        assert tx.wait_open(WAIT_S) and 0 <= tx.silent_s < WAIT_S
        assert not lonely.wait_open(0.0) and lonely.silent_s == np.inf


def test_wrong_rate_unknown_link_and_a_second_sender_are_refused(radio):
    emulator = radio()
    with IqSender(emulator.address, samp_rate=RATE) as first:
        assert first.wait_open() and first.is_open is True
        for link, rate, why in (("forward", 2e6, "samp_rate is 2e\\+06, link forward has 1e\\+06"),
                                ("up", RATE, "there is no link up, only forward"),
                                ("forward", RATE, "link forward has another tx end")):
            with IqSender(emulator.address, link, rate) as other:
                deadline_s = time.monotonic() + WAIT_S
                while not other.refusal and time.monotonic() < deadline_s:
                    assert not other.wait_open(0.05)
                assert re.search(why, other.refusal) and other.is_open is False
                other.wait_open(0.5)  # it asks again and is refused again, which is one refusal
                assert other.counts["refused"] == 1
        assert first.send(bursts(10)) == 10


def test_strange_messages_are_counted_and_change_nothing(radio):
    emulator, sent = radio(), bursts(BLOCK_SAMPLES)
    with IqSender(emulator.address, samp_rate=RATE) as tx, IqReceiver(emulator.address, samp_rate=RATE) as rx:
        assert tx.wait_open()
        with ClientSocket(emulator.address) as raw:
            raw.send(Hello(0, 0, "stranger"))
            raw.send(IqSamples(0, 0, "forward", 5, 5, 0, 4096, 0, sent))
            raw.send(IqSamples(0, 0, "forward", tx.session, tx.epoch, 0, 2**40, 0, sent))
            raw._socket.send_multipart([b"rubbish"])
            deadline_s = time.monotonic() + WAIT_S
            counts = emulator.report()["wire"]
            while counts.get("NotAMessage", 0) < 1 and time.monotonic() < deadline_s:
                time.sleep(0.01)
                counts = emulator.report()["wire"]
        assert tx.send(sent) == len(sent)
        np.testing.assert_array_equal(collect(rx, len(sent))[0], air(sent))
    assert (counts["foreign_message"], counts["over_credit"], counts["NotAMessage"]) == (2, 1, 1)


@pytest.mark.parametrize(("change", "message"), [
    ({"samp_rate": 0}, "samp_rate is 0"), ({"samp_rate": -1e6}, "samp_rate is -1"),
    ({"timeout_s": -1}, "timeout_s is -1"), ({"link": ""}, "link is ''"), ({"link": "x" * 65}, "link is 'xxx")])
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        IqReceiver("tcp://127.0.0.1:1", **change)


def test_patience_has_bounds():
    with pytest.raises(ValueError, match="stall_s is 0.1, must be >= 0.5"):
        Patience(stall_s=0.1)
    with pytest.raises(ValueError, match="start_s is nan, must be >= 0"):
        Patience(start_s=float("nan"))


def test_beyond_this_machine_the_radio_wants_keys_and_to_be_allowed(tmp_path):
    raw = {"kind": "virtual", "samp_rate": 1e6, "virtual": {"address": "tcp://0.0.0.0:*"}}
    allowed = {**raw, "virtual": {**raw["virtual"], "allow_remote": True}}
    folder, _ = write_host_keys(tmp_path, {"air": new_key_pair(), "tx": new_key_pair()})
    keys = load_host_keys(folder)
    for profile, given, message in ((allowed, None, "needs CURVE keys"), (raw, keys, "needs allow_remote")):
        with pytest.raises(AddressRefused, match=message):
            make_emulator(parse_profile(profile), keys=given)
    with make_emulator(parse_profile(allowed), keys=keys) as emulator:
        assert emulator.address.startswith("tcp://0.0.0.0:")
