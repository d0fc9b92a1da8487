# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshake of two hosts: any order, restarts, differences by name, and nothing from whoever has no say."""

import json
import shutil
import time
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from tokenlink.hosts import control_link
from tokenlink.hosts.control_link import ControlLink
from tokenlink.hosts.handshake import HandshakeRefused, agreement, check_entries, differences, refusal
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.modes import load_mode_table
from tokenlink.loop.run_config import RunConfig
from tokenlink.models import artifact_files as artifact
from tokenlink.phy.frame import BurstConfig
from tokenlink.wire import Bye, Hello, IqSamples, ModeCommand
from tokenlink.wire.bound import NO_TOKEN, BoundPushSocket, new_token
from tokenlink.wire.curve_keys import CurveKeys
from tokenlink.wire.sockets import PushSocket, new_key_pair

ENTRIES = {"mode_table.modes": "low, high", "codebook": "a" * 64}
HELLO = {"session": 1, "hears": None, "token": "ab" * 16, "entries": ENTRIES, "info": {}}
PATIENCE_S = 60.0


@pytest.fixture
def at(tmp_path):
    return {role: f"ipc://{tmp_path}/{role}" for role in ("tx", "rx")}


def make(at, role, entries=ENTRIES, **options):
    return ControlLink(role, at[role], at["rx" if role == "tx" else "tx"], entries, **options)


def until(done, *links):
    """Serve links until something holds; what each received by then."""
    got = {link: [] for link in links}
    deadline_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline_s, [link.counts for link in links]
        for link in links:
            if (message := link.recv(0.01)) is not None:
                got[link].append(message)
    return list(got.values())


@pytest.mark.parametrize("order", [("tx", "rx"), ("rx", "tx")])
def test_ends_agree_in_any_order_and_pass_messages_on(at, order):
    with make(at, order[0]) as first:
        assert not first.wait(0.05) and not first.send(ModeCommand(0, 0, 1))
        with make(at, order[1]) as second:
            second.info["next_slot"] = 7
            until(lambda: first.ready and second.ready, first, second)
            until(lambda: first.peer_info == {"next_slot": 7}, first, second)
            assert first.send(ModeCommand(3, 0, 1))
            _, got = until(lambda: second.counts["received"], first, second)
            assert (got[0].slot, got[0].mode_id) == (3, 1)
            assert (first.counts["sent"], first.counts["not_sent"]) == (1, 1)


def test_a_restarted_end_is_taken_back_and_nothing_old_reaches_it(at, monkeypatch):
    monkeypatch.setattr(control_link, "SILENT_S", 0.8)
    with make(at, "tx") as tx:
        with make(at, "rx") as rx:
            until(lambda: tx.ready and rx.ready, tx, rx)
        until(lambda: not tx.ready, tx)
        assert not tx.send(ModeCommand(1, 0, 0))
        with make(at, "rx") as rx:
            until(lambda: tx.ready and rx.ready, tx, rx)
            assert tx.send(ModeCommand(2, 0, 0))
            _, got = until(lambda: rx.counts["received"], tx, rx)
            assert [message.slot for message in got] == [2]
        assert tx.counts["peer_starts"] == 2 and tx.counts["peer_silences"] >= 1  # more on a machine that stalls


def test_both_ends_name_the_difference(at):
    other = ENTRIES | {"codebook": "b" * 64}
    with make(at, "tx") as tx, make(at, "rx", other) as rx:
        said = {}
        deadline_s = time.monotonic() + PATIENCE_S
        while len(said) < 2 and time.monotonic() < deadline_s:
            for link in (tx, rx):
                try:
                    link.recv(0.02)
                except HandshakeRefused as refused:
                    said[link.role] = str(refused)
    assert said["tx"] == "the hosts do not agree: codebook is aaaaaaaaaaaa at tx and bbbbbbbbbbbb at rx"
    assert said["rx"] == "the hosts do not agree: codebook is bbbbbbbbbbbb at rx and aaaaaaaaaaaa at tx"


def test_a_running_host_outlives_one_that_comes_back_different(at):
    with make(at, "tx") as tx:
        with make(at, "rx") as rx:
            until(lambda: tx.ready and rx.ready, tx, rx)
        with make(at, "rx", ENTRIES | {"codebook": "c"}) as rx, pytest.raises(HandshakeRefused):
            until(lambda: False, rx, tx)
        until(lambda: tx.counts["refused_peers"], tx)
        with make(at, "rx") as rx:
            until(lambda: tx.counts["peer_starts"] == 2 and tx.ready, tx, rx)


@pytest.mark.parametrize(
    "about",
    [
        {}, {"session": "x"}, {"session": True}, {"info": 2}, {"token": 3}, {"token": "zz" * 16}, {"token": "00"},
        {"entries": []}, {"entries": {"a": 1}}, {"entries": {str(n): "" for n in range(1000)}},
        {"entries": {"a": "b" * 1000}},
    ],
)  # fmt: skip
def test_hellos_that_are_none_are_counted_and_change_nothing(at, about):
    with make(at, "rx") as rx, BoundPushSocket(at["rx"]) as stranger:
        stranger.send_with(NO_TOKEN, Hello(0, 0, "tx", HELLO | about if about else {}))
        stranger.send_with(NO_TOKEN, Hello(0, 0, "rx", HELLO))
        stranger.send_with(NO_TOKEN, ModeCommand(0, 0, 0))
        stranger.send_with(NO_TOKEN, Bye(0, 0, "tx"))
        until(lambda: rx.counts["without_token"] == 2, rx)
        assert rx.counts["malformed_hellos"] == 2 and rx.peer_session is None


def forgeries():
    """All a stranger could say in the name of the transmitter: tokens it has made up, and none."""
    for token in (NO_TOKEN, new_token()):
        yield token, Bye(200, 0, "tx", "", {})
        yield token, ModeCommand(150, 0, 1)
        yield token, IqSamples(3, 0, "forward", 1, 0, 0, 4, 0, np.zeros(4, np.complex64))
        yield token, Hello(0, 0, "tx", HELLO)
        yield token, Hello(0, 0, "tx", HELLO | {"session": 7, "entries": {"codebook": "other"}})


@pytest.mark.parametrize("agreed", [True, False])
def test_a_stranger_without_keys_has_no_say(at, agreed):
    with make(at, "rx") as rx, BoundPushSocket(at["rx"]) as stranger, PushSocket(at["rx"]) as older:
        with make(at, "tx") as tx:
            if agreed:
                until(lambda: tx.ready and rx.ready, tx, rx)
            for token, message in forgeries():
                stranger.send_with(token, message)
            older.send(Bye(200, 0, "tx"))
            counted = lambda: (rx.counts["without_token"], rx.counts["in_UnknownVersion"]) == (6, 1)  # noqa: E731
            _, got = until(lambda: counted() and tx.ready and rx.ready, tx, rx)
            assert got == [] and rx.peer_session == tx.session and rx.counts["refused_peers"] == 0
            assert (rx.counts["peer_starts"], tx.counts["peer_starts"], rx.counts["received"]) == (1, 1, 0)
            assert tx.send(ModeCommand(9, 0, 1))
            _, got = until(lambda: rx.counts["received"], tx, rx)
            assert [message.slot for message in got] == [9] and rx.counts["in_lost"] == 0
            tx.close("", 10)
            (got,) = until(lambda: rx.counts["received"] == 2, rx)
            assert [type(message) for message in got] == [Bye]


def test_keys_are_used_where_they_are_given(at):
    pairs = {role: new_key_pair() for role in ("tx", "rx")}
    public = {"tx": pairs["rx"][0], "rx": pairs["tx"][0]}
    keys = {role: CurveKeys(*pairs[role], public[role], (public[role],)) for role in pairs}
    with make(at, "tx", keys=keys["tx"]) as tx, make(at, "rx", keys=keys["rx"]) as rx:
        until(lambda: tx.ready and rx.ready, tx, rx)
        assert tx.send(ModeCommand(1, 0, 0))
    with make(at, "tx") as plain, make(at, "rx", keys=keys["rx"]) as rx:
        until(lambda: rx.counts["in_PeerRefused"], plain, rx)
        assert not rx.ready and not plain.ready


@pytest.fixture(scope="module")
def entries():
    return agreement(RunConfig("x"), load_mode_table(), BurstConfig())


def changed(**fields):
    return agreement(RunConfig("x"), replace(load_mode_table(), **fields), BurstConfig())


def test_every_part_of_the_set_up_has_its_name(entries, tmp_path):
    table = load_mode_table()
    moved = np.roll(table.group_map, 1)
    (tmp_path / "profile.yaml").write_text("name: x\n")
    low = replace(table.modes[0], thresholds=(0.1,) * table.n_groups)
    riskier = replace(RunConfig("x").control, theta_low=-1.0)
    cases = {
        "mode_table.group_map": changed(group_map=moved),
        "mode_table.low.thresholds": changed(modes=(low, *table.modes[1:])),
        "controller.theta_low": agreement(RunConfig("x", control=riskier), table, BurstConfig()),
        "controller.policy": agreement(RunConfig("x", policy="static-med"), table, BurstConfig()),
        "burst.pilot_spacing": agreement(RunConfig("x"), table, BurstConfig(pilot_spacing=16)),
        "profile": agreement(RunConfig("x"), table, BurstConfig(), tmp_path / "profile.yaml"),
    }
    for name, other in cases.items():
        found = differences(entries, other, "tx", "rx")
        assert len(found) == 1 and found[0].startswith(f"{name} is ") and " at tx and " in found[0]
    assert {"codebook", "models.tokenizer", "models.completion", "models.head"} <= entries.keys()
    assert differences(entries, agreement(RunConfig("y", seed=5), table, BurstConfig()), "tx", "rx") == []


def test_weights_that_are_not_what_the_manifest_says_are_found_before_the_other_host_is(tmp_path):
    shutil.copytree(artifact.DEFAULT_DIR, tmp_path / "mine")
    weights = tmp_path / "mine" / "head" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(artifact.ArtifactHashError, match="does not match the SHA-256"):
        agreement(RunConfig("x", artifacts=str(tmp_path / "mine")), load_mode_table(), BurstConfig())


def test_of_two_systems_only_that_is_said(entries, tmp_path):
    adaptive = adaptive_agreement(tmp_path)
    assert check_entries(adaptive) and {"models.adaptive", "mode_table.0.5.header_symbols"} <= adaptive.keys()
    assert differences(entries, adaptive, "tx", "rx") == ["system is 'twist' at tx and 'adaptive' at rx"]


def test_the_table_of_another_system_is_agreed_on_by_name(tmp_path):
    table = load_adaptive_table()
    longer = replace(table.modes[7], header_symbols=1120)
    other = adaptive_agreement(tmp_path, replace(table, modes=(*table.modes[:7], longer, *table.modes[8:])))
    (found,) = differences(adaptive_agreement(tmp_path), other, "tx", "rx")
    assert found.startswith("mode_table.0.2.header_symbols is ") and "1120" in found


def adaptive_agreement(folder, table=None):
    """Entries of the adaptive system, with weights of a few bytes: nothing here reads them."""
    name, files = "adaptive", {"weights.safetensors": b"w", "config.json": b"{}", "metrics.json": b"{}"}
    (folder / name).mkdir(exist_ok=True)
    for file, content in files.items():
        (folder / name / file).write_bytes(content)
    known = {file: {"bytes": len(raw), "sha256": sha256(raw).hexdigest()} for file, raw in files.items()}
    (folder / "manifest.json").write_text(json.dumps({name: known}))
    run = RunConfig("x", system=name, policy="fixed", artifacts=str(folder))
    return agreement(run, table or load_adaptive_table(), BurstConfig())


def test_many_differences_stay_one_sentence(entries):
    sentence = refusal(differences(entries, {}, "tx", "rx"))
    assert "missing at rx" in sentence and "more" in sentence and len(sentence) < 800
