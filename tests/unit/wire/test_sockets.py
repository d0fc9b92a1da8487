# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets over the loopback interface: order, bounds, timeouts and counters."""

import signal
import socket as plain
import threading
import time

import numpy as np
import pytest
import zmq

from tokenlink import wire
from tokenlink.wire import sockets
from tokenlink.wire.duplex import ClientSocket, ServerSocket
from tokenlink.wire.sockets import PullSocket, PushSocket, is_loopback

ANY_PORT = "tcp://127.0.0.1:*"
TIMEOUT_S = 60.0  # for a machine that has other work


def frame(slot):
    return wire.TokenFrame(slot, 0, np.arange(4, dtype=np.int32))


@pytest.fixture
def pull():
    with PullSocket(ANY_PORT, timeout_s=TIMEOUT_S) as socket:
        yield socket


@pytest.fixture
def raw(pull):
    socket = zmq.Context.instance().socket(zmq.PUSH)
    socket.linger = 0
    socket.connect(pull.address)
    yield socket
    socket.close()


def test_messages_arrive_in_order_and_numbered_per_class(pull):
    with PushSocket(pull.address) as push:
        for slot in range(3):
            assert push.send(frame(slot))
            assert push.send(wire.ModeCommand(slot, 77, 1))
        received = [pull.recv() for _ in range(6)]
    assert [(type(m).__name__, m.slot, m.seq) for m in received[:4]] == [
        ("TokenFrame", 0, 0),
        ("ModeCommand", 0, 0),
        ("TokenFrame", 1, 1),
        ("ModeCommand", 1, 1),
    ]
    assert np.array_equal(received[0].token_ids, np.arange(4))
    assert push.counts["sent"] == pull.counts["received"] == 6
    assert pull.counts["lost"] == pull.counts["out_of_order"] == 0


def test_nothing_to_receive_gives_none_after_the_timeout(pull):
    begin = time.monotonic()
    assert pull.recv(timeout_s=0.05) is None
    assert 0.04 < time.monotonic() - begin < TIMEOUT_S / 2


def test_delivery_waits_for_room_and_loses_no_number():
    with PushSocket(ANY_PORT, bind=True, queue_messages=1) as push:
        reader, got = threading.Thread(target=lambda: got.extend(_read_all(push, 3))), []
        reader.start()
        for slot in range(3):
            push.deliver(frame(slot))
        reader.join(TIMEOUT_S)
    assert [m.seq for m in got] == [0, 1, 2] and push.counts["waited"] >= 1 and push.counts["queue_full"] == 0


def _read_all(push, n_messages):
    """Messages of a socket that has had to wait."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not push.counts["waited"] and time.monotonic() < deadline_s:
        time.sleep(0.01)
    with PullSocket(push.address, bind=False, timeout_s=TIMEOUT_S) as pull:
        return [pull.recv() for _ in range(n_messages)]


def test_a_signal_ends_waiting_for_room():
    def stop(number, frame):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with PushSocket(ANY_PORT, bind=True) as push, pytest.raises(InterruptedError):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            push.deliver(frame(0))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_without_a_peer_the_queue_is_bounded_and_drops_are_counted():
    with PushSocket("tcp://127.0.0.1:9", queue_messages=5, timeout_s=0.0) as push:
        accepted = [push.send(frame(slot)) for slot in range(12)]
        assert accepted == [True] * 5 + [False] * 7
        assert push.counts == {"sent": 5, "queue_full": 7}


def test_what_the_sender_drops_is_missed_by_the_receiver():
    with PushSocket(ANY_PORT, bind=True, timeout_s=0.0) as push:
        assert not push.send(frame(0))
        with PullSocket(push.address, bind=False, timeout_s=TIMEOUT_S) as pull:
            assert push.send(frame(1), timeout_s=TIMEOUT_S)
            assert pull.recv().seq == 1


def test_gaps_and_repeats_are_counted(pull, raw):
    for seq in (0, 1, 4, 4, 5, 0, 1):
        raw.send_multipart(wire.encode(wire.ModeCommand(0, seq, 0)))
    assert [pull.recv().seq for _ in range(7)] == [0, 1, 4, 4, 5, 0, 1]
    assert pull.counts["lost"] == 2
    assert pull.counts["out_of_order"] == 2


def test_malformed_messages_are_counted_by_name_and_skipped(pull, raw):
    good = wire.encode(frame(1))
    wrong_version = [good[0][:4] + b"\x09\x00" + good[0][6:], *good[1:]]
    for bad in ([b"hello"], wrong_version, wrong_version, good[:2], [*good, b"x"], [*good[:2], good[2][:3]]):
        raw.send_multipart(bad)
    raw.send_multipart([good[0].replace(b"i4", b"f4"), *good[1:]])
    raw.send_multipart(good)
    assert pull.recv() == frame(1)
    refused = {name: count for name, count in pull.counts.items() if name[0].isupper()}
    assert refused == {
        "NotAMessage": 1,
        "UnknownVersion": 2,
        "TruncatedMessage": 2,
        "OversizedMessage": 1,
        "WrongDtype": 1,
    }
    assert isinstance(pull.last_error, wire.WrongDtype)


def test_an_oversized_message_is_counted_and_the_next_one_arrives():
    with PullSocket(ANY_PORT, timeout_s=TIMEOUT_S, max_bytes=500) as pull, PushSocket(pull.address) as push:
        assert push.send(wire.TokenFrame(0, 0, np.zeros(200, np.int32)))
        assert push.send(frame(1))
        assert pull.recv().slot == 1
        assert pull.counts["OversizedMessage"] == 1
        assert pull.counts["lost"] == 0  # the first number seen is 1


def test_a_message_against_its_schema_is_refused_before_it_is_sent(pull):
    with PushSocket(pull.address) as push:
        with pytest.raises(wire.WrongDtype):
            push.send(wire.TokenFrame(0, 0, np.zeros(4)))
        assert push.send(frame(1))
        assert pull.recv().seq == 0
        assert push.counts == {"WrongDtype": 1, "sent": 1}


@pytest.mark.parametrize(
    "address, expected",
    [
        ("tcp://127.0.0.1:5555", True),
        ("tcp://localhost:*", True),
        ("tcp://[::1]:5555", True),
        ("ipc:///run/x", True),
        ("inproc://x", True),
        ("tcp://*:5555", False),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://192.168.1.2:5555", False),
        ("tcp://eth0:5555", False),
        ("pgm://127.0.0.1:5555", False),
    ],
)
def test_loopback_addresses_are_known(address, expected):
    assert is_loopback(address) is expected


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:99999999", "tcp://"])
def test_an_unusable_address_is_refused_by_name(address):
    with pytest.raises(wire.AddressRefused):
        PushSocket(address)


def test_an_address_in_use_is_refused_by_name(pull):
    with pytest.raises(wire.AddressRefused):
        PullSocket(pull.address)


@pytest.mark.parametrize("kwargs", [{"queue_messages": 0}, {"timeout_s": -1}, {"timeout_s": float("nan")}])
def test_bounds_out_of_range_are_refused(kwargs):
    with pytest.raises(ValueError, match=" is "):
        PushSocket("tcp://127.0.0.1:9", **kwargs)


def test_closing_twice_does_nothing():
    socket = PullSocket(ANY_PORT)
    socket.close()
    socket.close()


def test_a_server_knows_its_clients_apart_and_misses_those_that_are_gone():
    with ServerSocket(ANY_PORT, timeout_s=TIMEOUT_S) as server:
        with ClientSocket(server.address, timeout_s=TIMEOUT_S) as one, ClientSocket(server.address) as other:
            assert one.send(frame(1)) and other.send(frame(2))
            peers = {message.slot: peer for peer, message in (server.recv(), server.recv())}
            assert server.send(peers[1], frame(11)) and one.recv().slot == 11
            assert other.recv(timeout_s=0.0) is None
        assert not server.send(b"nobody", frame(3))
        assert server.counts["unreachable"] == 1 and server.counts["sent"] == 1 and server.counts["received"] == 2
        with pytest.raises(wire.WireError):
            server.send(peers[1], wire.ModeCommand(-1, 0, 0))
        assert sum(n for name, n in server.counts.items() if name[0].isupper()) == 1


def test_a_server_drops_at_once_what_a_client_leaves_in_its_queue():
    with ServerSocket(ANY_PORT, queue_messages=2, timeout_s=TIMEOUT_S) as server:
        with ClientSocket(server.address, queue_messages=2) as client:
            assert client.send(frame(0))
            peer, _ = server.recv()
            large = wire.TokenFrame(0, 0, np.zeros(200_000, np.int32))
            while server.send(peer, large):
                assert server.counts["sent"] < 100
            assert server.counts["queue_full"] == 1 and server.counts["unreachable"] == 0


@pytest.mark.parametrize("make, address", [
    (PullSocket, ANY_PORT), (ServerSocket, ANY_PORT), (ClientSocket, "tcp://127.0.0.1:9"),
])  # fmt: skip
def test_without_a_timeout_of_its_own_a_socket_waits_a_second(make, address):
    with make(address) as socket:
        begin_s = time.monotonic()
        assert socket.recv() is None
        assert 0.9 < time.monotonic() - begin_s


def test_an_address_that_is_given_up_in_a_moment_is_waited_for(monkeypatch):
    monkeypatch.setattr(sockets, "_BIND_PATIENCE_S", TIMEOUT_S)
    with plain.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        threading.Timer(0.1, held.close).start()
        with PullSocket(f"tcp://127.0.0.1:{port}") as pull:
            assert pull.address.endswith(f":{port}")


def test_a_client_may_speak_before_its_server_is_there(tmp_path):
    address = f"ipc://{tmp_path}/late"
    with ClientSocket(address, timeout_s=0.0) as client:
        assert client.send(frame(3))
        with ServerSocket(address, timeout_s=TIMEOUT_S) as server:
            assert server.recv()[1].slot == 3
