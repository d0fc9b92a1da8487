# SPDX-License-Identifier: GPL-3.0-or-later
"""CURVE keys: private files, no reach beyond loopback without them, every wrong key refused and counted."""

import stat
import time

import numpy as np
import pytest
import zmq

from tokenlink import wire
from tokenlink.wire.curve_keys import CurveKeys, check_address, load_host_keys, write_host_keys
from tokenlink.wire.sockets import PullSocket, PushSocket, new_key_pair

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq is built without CURVE")
TIMEOUT_S = 60.0  # for a machine that has other work
ANY_PORT, EVERYWHERE = "tcp://127.0.0.1:*", "tcp://0.0.0.0:*"


def frame(slot):
    return wire.TokenFrame(slot, 0, np.arange(4, dtype=np.int32))


@pytest.fixture
def folders(tmp_path):
    return write_host_keys(tmp_path / "keys", {"tx": new_key_pair(), "rx": new_key_pair()})


@pytest.fixture
def keys(folders):
    return {path.name: load_host_keys(path) for path in folders}


def until_refused(socket, counter):
    """Serve a socket until its handshakes have failed once; what it received by then."""
    got, deadline_s = [], time.monotonic() + TIMEOUT_S
    while not counter.counts["PeerRefused"] and time.monotonic() < deadline_s:
        got.append(socket.recv(0.05))
        if counter is not socket:
            counter.send(frame(9), 0.0)
    return [message for message in got if message is not None]


def test_files_are_private_and_hold_only_what_the_host_needs(folders, keys):
    for folder in folders:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        other = {"tx": "rx", "rx": "tx"}[folder.name]
        assert [str(path.relative_to(folder)) for path in files] == sorted(
            [f"peers/{other}.pub", f"{folder.name}.pub", "secret.key"])
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
        assert all(stat.S_IMODE(each.stat().st_mode) == 0o700 for each in (folder, folder / "peers"))
        assert keys[other].secret.decode() not in "".join(path.read_text() for path in files)
    assert keys["tx"].server_public == keys["rx"].public and keys["tx"].allowed == (keys["rx"].public,)
    assert keys["tx"].secret.decode() not in repr(keys["tx"])


def test_keys_that_are_there_are_not_overwritten(folders):
    before = (folders[0] / "secret.key").read_text()
    with pytest.raises(wire.KeysRefused, match="exists already"):
        write_host_keys(folders[0].parent, {"new": new_key_pair(), "tx": new_key_pair()})
    assert (folders[0] / "secret.key").read_text() == before and not (folders[0].parent / "new").exists()


@pytest.mark.parametrize("names", [[], ["tx"], ["tx", "../rx"], ["tx", ""], ["tx", "a/b"]])
def test_names_that_make_no_folder_are_refused(tmp_path, names):
    with pytest.raises(wire.KeysRefused):
        write_host_keys(tmp_path / "keys", {name: new_key_pair() for name in names})
    assert not (tmp_path / "keys").exists()


def readable(folder):
    (folder / "secret.key").chmod(0o640)


def lonely(folder):
    (folder / "peers" / "rx.pub").unlink()


def cut(folder):
    path = folder / "secret.key"
    path.write_text(path.read_text()[:-5])


def gone(folder):
    (folder / "secret.key").unlink()


def binary(folder):
    (folder / "peers" / "rx.pub").write_bytes(bytes(range(256)))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (readable, "secret.key can be read by others: chmod 600"),
        (lonely, "holds no public key"),
        (cut, "must hold public and secret"),
        (gone, "secret.key cannot be read: .* ./twist keys makes keys"),
        (binary, "rx.pub"),
    ],
)
def test_damaged_folders_are_refused_by_name(folders, damage, sentence):
    damage(folders[0])
    with pytest.raises(wire.KeysRefused, match=sentence):
        load_host_keys(folders[0])


def test_a_peer_must_be_known(folders):
    with pytest.raises(wire.KeysRefused, match="peer is 'camera', .* has rx"):
        load_host_keys(folders[0], "camera")


@pytest.mark.parametrize("make", [PullSocket, PushSocket])
def test_beyond_loopback_nothing_opens_without_keys(make, keys):
    for bind in (True, False):
        with pytest.raises(wire.AddressRefused, match="needs CURVE keys, which ./twist keys makes"):
            make("tcp://192.0.2.1:5555", bind=bind, allow_remote=True)
    with pytest.raises(wire.AddressRefused, match="needs allow_remote"):
        make(EVERYWHERE, bind=True, keys=keys["rx"])
    with pytest.raises(wire.AddressRefused, match="needs keys of the peers"):
        make(EVERYWHERE, bind=True, allow_remote=True, keys=CurveKeys(*new_key_pair()))
    with pytest.raises(wire.AddressRefused, match="server_public"):
        make(ANY_PORT.replace("*", "9"), bind=False, keys=CurveKeys(*new_key_pair()))


@pytest.mark.parametrize("port", ["65536", "-1", "x", "", "80.5"])
def test_a_port_of_more_than_16_bits_or_none_is_refused(port):
    with pytest.raises(wire.AddressRefused, match="has no port from 0 to 65535"):
        check_address(f"tcp://127.0.0.1:{port}", False, False, None)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:65535", "tcp://127.0.0.1:0", "tcp://[::1]:*", "ipc:///tmp/x:y"])
def test_a_port_of_16_bits_or_any_passes(address):
    check_address(address, True, False, None)


def test_keys_that_do_not_belong_together_are_refused(keys):
    mixed = CurveKeys(keys["rx"].public, keys["tx"].secret)
    with pytest.raises(wire.KeysRefused, match="do not belong together"):
        PullSocket(ANY_PORT, keys=mixed)
    with pytest.raises(wire.KeysRefused):
        PullSocket(ANY_PORT, keys=CurveKeys(b"x" * 40, b"y" * 40))


def test_the_right_keys_pass_beyond_loopback(keys):
    with PullSocket(EVERYWHERE, timeout_s=TIMEOUT_S, allow_remote=True, keys=keys["rx"]) as pull:
        with PushSocket(pull.address.replace("0.0.0.0", "127.0.0.1"), keys=keys["tx"]) as push:
            assert push.send(frame(1), TIMEOUT_S) and pull.recv().slot == 1
            assert not pull.counts["PeerRefused"]


def test_whoever_is_not_admitted_is_refused_and_counted_on_both_sides(keys):
    stranger = CurveKeys(*new_key_pair(), keys["rx"].public)  # knows the server, is not on its list
    with PullSocket(ANY_PORT, keys=keys["rx"]) as pull, PushSocket(pull.address, keys=stranger, immediate=True) as push:
        assert until_refused(pull, push) == [] and until_refused(pull, pull) == []
        assert "not among those that are admitted" in str(pull.last_error)
        with PushSocket(pull.address, keys=keys["tx"]) as friend:
            assert friend.send(frame(2), TIMEOUT_S) and pull.recv(TIMEOUT_S).slot == 2


@pytest.mark.parametrize("wrong", ["server_public", "plain"])
def test_a_wrong_server_key_or_none_gets_nothing_through_and_is_counted(keys, wrong):
    bad = None if wrong == "plain" else CurveKeys(keys["tx"].public, keys["tx"].secret, new_key_pair()[0])
    with PullSocket(ANY_PORT, keys=keys["rx"]) as pull, PushSocket(pull.address, keys=bad) as push:
        push.send(frame(3), 0.0)
        assert until_refused(pull, pull) == []
        assert pull.counts["PeerRefused"] >= 1 and isinstance(pull.last_error, wire.PeerRefused)


def test_allow_lists_of_two_sockets_are_kept_apart(keys):
    tx, rx = keys["tx"], keys["rx"]
    nobody = CurveKeys(rx.public, rx.secret, allowed=(new_key_pair()[0],))
    with PullSocket(ANY_PORT, keys=nobody) as closed, PullSocket(ANY_PORT, keys=rx) as open_one:
        with PushSocket(open_one.address, keys=tx) as push:
            assert push.send(frame(4), TIMEOUT_S) and open_one.recv(TIMEOUT_S).slot == 4
        with PushSocket(closed.address, keys=tx, immediate=True) as push:
            assert until_refused(closed, closed) == [] and not push.send(frame(5), 0.0)


def test_an_immediate_socket_keeps_nothing_for_one_that_comes_later(tmp_path):
    address = f"ipc://{tmp_path}/late"
    with PushSocket(address, immediate=True, timeout_s=0.0) as push:
        assert not push.send(frame(0))
        with PullSocket(address) as pull:
            assert push.send(frame(1), TIMEOUT_S) and pull.recv(TIMEOUT_S).slot == 1
