# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio's side of sample streams, message by message: what it keeps, hands out, and says to whom."""

import numpy as np
import pytest

from tokenlink import wire
from tokenlink.wire.duplex import ClientSocket
from tokenlink.wire.iq_client import RadioRefused
from tokenlink.wire.iq_server import IqServer, TxEnd
from tokenlink.wire.iq_streams import IqReceiver, IqSender

WINDOW = 4096
WAIT_S = 60.0  # for a machine that has other work


@pytest.fixture
def server():
    with IqServer("tcp://127.0.0.1:*", {"forward": 1e6}, WINDOW) as radio:
        yield radio


@pytest.fixture
def client(server):
    with ClientSocket(server.address, timeout_s=WAIT_S) as socket:
        yield socket


def opens(server, client, role, limit=0, session=7, epoch=0):
    """Send an IqOpen and let the radio take it in."""
    client.send(wire.IqOpen(0, 0, "forward", role, session, epoch, 1e6, limit, 0))
    assert server.serve(WAIT_S) == 1
    return server.links["forward"]


def nothing_more(client):
    return client.recv(timeout_s=0.05) is None


def test_pieces_are_read_at_their_positions_and_zeros_between_them():
    """300 reads of random lengths against one long array; pieces with gaps, adjacent, and across many reads."""
    rng = np.random.default_rng(1)
    end, whole, pieces, position = TxEnd(), np.zeros(40_000, np.complex64), [], 0
    while position < 35_000:
        position += int(rng.choice([0, 1, 50, 700]))
        samples = rng.standard_normal((int(rng.integers(1, 900)), 2), np.float32).view(np.complex64)[:, 0]
        whole[position : position + len(samples)] = samples
        pieces.append((position, samples))
        position += len(samples)
    read = 0
    for _ in range(300):
        n = int(rng.integers(1, 200))
        while pieces and pieces[0][0] < read + 2 * n:  # a little ahead of what is read
            begin, samples = pieces.pop(0)
            message = wire.IqSamples(0, 0, "forward", 1, 1, begin, begin + len(samples), 0, samples)
            assert end.put(message) == 0
        np.testing.assert_array_equal(end.read(n), whole[read : read + n])
        read += n
        assert end.time == read <= end.declared


def test_samples_of_a_time_that_has_passed_are_cut_and_counted():
    end, samples = TxEnd(), np.arange(1, 11).astype(np.complex64)
    end.read(4)
    assert end.put(wire.IqSamples(0, 0, "forward", 1, 1, 0, 10, 0, samples)) == 4
    assert end.put(wire.IqSamples(0, 0, "forward", 1, 1, 2, 9, 0, samples[:7])) == 7
    np.testing.assert_array_equal(end.read(8), [5, 6, 7, 8, 9, 10, 0, 0])


def test_a_transmitter_is_told_again_when_a_quarter_of_the_window_has_gone_by(server, client):
    link = opens(server, client, "tx")
    grant = client.recv()
    assert (grant.session, grant.epoch, grant.position, grant.limit) == (7, server.epoch, 0, WINDOW)
    for time, told in ((0, False), (WINDOW // 4 - 1, False), (WINDOW // 4, True), (WINDOW // 4, False)):
        link.tx.time = time
        server.grant(link)
        assert (client.recv().limit == time + WINDOW) if told else nothing_more(client)


def test_a_receiver_gets_what_it_has_room_for_and_is_told_where_it_ends(server, client):
    link = opens(server, client, "rx")
    client.recv()  # where the air is
    opens(server, client, "rx", limit=600, epoch=server.epoch)
    samples = np.arange(1000).astype(np.complex64)
    assert server.deliver(link, samples, last=True) == 600
    got = client.recv()
    assert (got.position, got.until, got.last) == (0, 600, 0)
    np.testing.assert_array_equal(got.samples, samples[:600])
    opens(server, client, "rx", limit=5000, epoch=server.epoch)
    assert server.deliver(link, samples[600:], last=True) == 400
    got = client.recv()
    assert (got.position, got.until, got.last) == (600, 1000, 1)
    np.testing.assert_array_equal(got.samples, samples[600:])
    assert nothing_more(client)


@pytest.mark.parametrize("session, epoch, until, cause", [
    (8, 0, 100, "foreign_message"), (7, 1, 100, "foreign_message"), (7, 0, 99, "over_credit"),
    (7, 0, WINDOW + 1, "over_credit"), (7, 0, WINDOW, ""), (7, 0, 100, ""),
])  # fmt: skip
def test_only_samples_of_the_client_within_its_credit_are_taken(server, client, session, epoch, until, cause):
    link = opens(server, client, "tx")
    client.send(wire.IqSamples(0, 0, "forward", session, server.epoch + epoch, 0, until, 0, np.ones(100, np.complex64)))
    assert server.serve(WAIT_S) == 1
    assert len(link.tx.take()) == (not cause) and link.tx.declared == (0 if cause else until)
    assert server.counts["foreign_message"] + server.counts["over_credit"] == bool(cause)
    assert not cause or server.counts[cause] == 1


def test_a_receiver_that_is_served_has_no_samples_until_some_come(server):
    with IqReceiver(server.address, timeout_s=WAIT_S) as end:
        assert server.serve(WAIT_S) == 1  # where the air is, is on its way
        assert end.recv(timeout_s=0.3) is None and end.is_open
        server.serve(WAIT_S)  # what it has room for
        server.deliver(server.links["forward"], np.ones(5, np.complex64))
        position, samples, jumped = end.recv()
        assert (position, len(samples), jumped) == (0, 5, True)


def test_a_setting_that_no_radio_answers_is_refused_in_time_and_after_the_end():
    with IqSender("tcp://127.0.0.1:9", "forward", 1e6, timeout_s=WAIT_S) as end:
        with pytest.raises(RadioRefused, match="the radio at tcp://127.0.0.1:9 does not answer"):
            end.set(timeout_s=0.05, tx_gain_db=3.0)
    with pytest.raises(RadioRefused, match="does not answer"):
        end.set(tx_gain_db=3.0)
