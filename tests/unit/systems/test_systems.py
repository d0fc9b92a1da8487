# SPDX-License-Identifier: GPL-3.0-or-later
"""Each system's description fits what it describes, and whoever asks one gets what was asked for."""

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from typer.testing import CliRunner

from tokenlink.channel import FADING_MODELS
from tokenlink.cli.main import app
from tokenlink.cli.run_options import CHANNELS, POLICIES
from tokenlink.control import FORESEEING
from tokenlink.link.twist import encode_frame
from tokenlink.loop.run_config import RunConfig, run_config_from_dict
from tokenlink.measure.counts import METRICS
from tokenlink.phy import header
from tokenlink.report.figures.catalog import DRAWN
from tokenlink.report.tables import summary_rows
from tokenlink.systems import SYSTEMS, system_named
from tokenlink.wire import NO_MODE, SemanticEstimate, StateReport, TokenFrame, validate

LIBRARY = Path(__file__).resolve().parents[3] / "python" / "tokenlink"
TWIST = system_named("twist")


@pytest.fixture(params=SYSTEMS.values(), ids=SYSTEMS)
def system(request):
    return request.param


def test_name_and_number_are_those_of_the_header_of_a_burst(system):
    assert SYSTEMS[system.name] is system and header.SYSTEMS[system.name] == system.payload.number


def weights_of(system, folder):
    """A folder with what policies read of the weights: accuracies by pair, the same for all."""
    table = system.payload.load_table()
    n_alphas, n_ratios = (len(getattr(table, name, ())) for name in ("alphas", "ratios"))
    accuracy = np.full((n_alphas, n_ratios, 1), 0.5).tolist()
    proxy = {"alpha": list(getattr(table, "alphas", ())), "r": list(getattr(table, "ratios", ())), "snr_db": [0],
             "accuracy": accuracy, "n_tokens": [65] * n_alphas}  # fmt: skip
    (folder / system.name).mkdir()
    (folder / system.name / "metrics.json").write_text(json.dumps({"proxy": proxy}))
    return folder


def test_every_policy_can_be_made_and_asked_for(system, tmp_path):
    table, control, weights = system.payload.load_table(), system.loop.load_control(None), weights_of(system, tmp_path)
    system.loop.check_control(control, table)
    assert RunConfig("x", system=system.name).policy == system.policies[0]
    for policy in system.policies:
        first = system.loop.policy(policy, control, table, weights).initial_state()
        assert first.mode_id in range(len(table.modes))
        prior = "once" if policy in FORESEEING else "off"
        assert RunConfig("x", system=system.name, policy=policy, prior=prior).policy == policy


def test_every_figure_is_drawn_from_rows_that_are_collected(system):
    assert list(DRAWN.get(system.name, ())) == [figure.number for figure in system.figures]
    if system.study is None:
        assert not system.figures
        return
    results = get_type_hints(import_module(system.study.results).collect)["return"]
    rows = set(results.__dataclass_fields__) | {"examples"}
    assert {figure.rows for figure in system.figures} <= rows


def test_every_metric_is_one_of_a_run_or_of_a_study(system):
    n_tokens = system.payload.load_table().n_tokens
    tokens = np.zeros((1, n_tokens), int)
    record = {"truth": None, "predicted": None, "cost": 1.0, "mode": "med", "missed": False, "correct": None,
              "bandwidth_ratio": 0.1, "air_ratio": 0.1, "tokens_kept": 9, "queue": 0.0, "source_values": 9,
              "similarity": 0.5, "plain_similarity": 0.5, "second_similarity": 0.5, "second_plain_similarity": 0.5,
              "lost_packets": 0.2, "lost_tokens": 0.2, "channel_uses": 9, "n_wrong_accepted": 0}  # fmt: skip
    summary = system.summarize([record], {"tokens": tokens, "decided": tokens, "state": tokens, "erased": tokens > 0})
    spreads = {"f1_sequence_std", "f1_realisation_std"}
    assert {each.key for each in system.metrics} <= set(summary) | set(METRICS) | spreads
    assert {each.key for each in system.metrics if each.in_study} <= set(METRICS) | spreads
    assert {each.key for each in system.metrics if each.on_card} <= set(summary)


def test_twist_sends_tokens_as_the_link_does_and_gates_what_comes():
    table, rng = TWIST.payload.load_table(), np.random.default_rng(1)
    tokens = rng.integers(0, table.vocab_size, table.n_tokens).astype(np.int32)
    link = {"slot": 7, "seq": 0, "channel_gain": 1 + 0j, "n0": 1e-3, "esn0_db": 30.0}
    for mode in table.modes:
        symbols = TWIST.payload.encode(TokenFrame(7, 0, tokens), mode, table)
        fitting = [n for n in range(len(symbols) - 3, len(symbols) + 4) if TWIST.payload.fits(n, mode, table)]
        assert fitting == [len(symbols)]
        np.testing.assert_array_equal(symbols, encode_frame(tokens, mode, table))
        estimate, report = TWIST.payload.decode(symbols, 1 + 0j, 1e-3, mode, table, link)
        for message in (estimate, report):
            validate(message)
            assert (message.slot, message.esn0_db) == (7, 30.0)
        assert estimate.mode_id == mode.mode_id and report.parity_ok.all() and not estimate.erased.any()
        np.testing.assert_array_equal(estimate.token_ids, tokens)
        noise = rng.normal(0, 1, (len(symbols), 2)).astype(np.float32).view(np.complex64)[:, 0]
        doubted, _ = TWIST.payload.decode(noise, 1 + 0j, 1.0, mode, table, link)
        np.testing.assert_array_equal(doubted.erased, doubted.confidence < table.token_thresholds(mode))
        assert doubted.erased.mean() > 0.9
        with pytest.raises(ValueError, match="symbols has shape"):
            TWIST.payload.decode(symbols[1:], 1 + 0j, 1e-3, mode, table, link)


def test_a_random_frame_fits_and_comes_as_it_was_sent(system):
    payload, rng = system.payload, np.random.default_rng(1)
    table = payload.load_table(payload.table)
    assert table.modes == payload.load_table().modes
    link = {"slot": 5, "seq": 0, "channel_gain": 1 + 0j, "n0": 1e-3, "esn0_db": 30.0}
    for mode in table.modes[:: max(1, len(table.modes) // 5)]:
        sent = payload.draw(rng, 5, mode, table)
        validate(sent)
        n_packets, whole = payload.packets(table), payload.encode(sent, mode, table)
        assert (whole.ndim > 1) == (n_packets > 1)
        symbols = whole.reshape(n_packets, -1)[5 % n_packets]
        fitting = [n for n in (0, 1, len(symbols), 60_000) if payload.fits(n, mode, table)]
        assert fitting == [len(symbols)] and np.mean(np.abs(whole) ** 2) == pytest.approx(1, rel=0.1)
        estimate, _ = payload.decode(symbols, 1 + 0j, 1e-3, mode, table, link)
        content = payload.content(sent)[5 % n_packets :: n_packets]
        assert content.dtype == np.int32 and (n_packets > 1 or content.shape == (table.n_tokens,))
        np.testing.assert_array_equal(payload.content(estimate), content)
    assert not np.array_equal(content, payload.content(payload.draw(rng, 5, mode, table))[5 % n_packets :: n_packets])


def test_packets_of_a_sequence_come_as_the_link_puts_them_together():
    """Three of five packets in noise alone: erased are every token of theirs and no other, and nothing is wrong."""
    payload, rng = system_named("tokcode").payload, np.random.default_rng(4)
    table = payload.load_table()
    sent, mode = payload.draw(rng, 3, table.mode(1), table), table.mode(1)
    symbols = payload.encode(sent, mode, table)
    n0, gain = np.full(5, 1e-3), np.full(symbols.shape, 0.6 - 0.8j, np.complex64)
    received = symbols * gain
    for index in (0, 2, 3):
        received[index] = rng.normal(0, 1, (symbols.shape[1], 2)) @ [1, 1j]
        n0[index] = 2.0
    link = {"slot": 3, "seq": 0, "channel_gain": 1j, "n0": 0.1, "esn0_db": 4.0}
    estimate, report = payload.decode(received, gain, n0, mode, table, link)
    validate(estimate)
    validate(report)
    places = np.arange(sent.token_ids.size) % 5
    np.testing.assert_array_equal(estimate.erased, np.isin(places, (0, 2, 3)))
    np.testing.assert_array_equal(estimate.token_ids[~estimate.erased], sent.token_ids[~estimate.erased])
    assert report.parity_ok.tolist() == [False, True, False, False, True] and report.drops == {}
    wrong, truth = system_named("tokcode").loop.wrong, StateReport(3, 0, sent.token_ids)
    assert wrong(truth, estimate, None) == 0
    estimate.token_ids[~estimate.erased] += 1
    assert wrong(truth, estimate, None) == np.isin(places, (1, 4)).sum()
    received[:] = rng.normal(0, 1, (5, symbols.shape[1], 2)) @ [1, 1j]
    nothing, report = payload.decode(received, gain, np.full(5, 2.0), mode, table, link)
    validate(nothing)
    assert nothing.mode_id == NO_MODE and report.drops == {"lost": "crc_failed"}


def test_what_is_not_at_the_twin_as_at_the_camera_is_counted():
    state, kept = np.arange(9, dtype=np.int32), np.arange(64) % 3 == 0
    adaptive, wrong = system_named("adaptive"), TWIST.loop.wrong
    assert wrong(StateReport(0, 0, state), None, StateReport(0, 0, state)) == 0
    assert wrong(StateReport(0, 0, state), None, StateReport(0, 0, state[::-1].copy())) == 8
    truth = StateReport(0, 0, np.concatenate([np.ones(128, bool), kept]).astype(np.int32))
    nothing, none = np.zeros(0, np.complex64), StateReport(0, 0, np.zeros(0, np.int32))
    for n_wrong in (0, 5):
        came = kept ^ (np.arange(64) < n_wrong)
        estimate = SemanticEstimate(0, 0, 7, came, nothing, nothing, 0j, 0.1, 3.0)
        assert adaptive.loop.wrong(truth, estimate, none) == n_wrong
    assert adaptive.loop.wrong(truth, None, none) == 0, "what did not come is missed and not wrong"


def test_metrics_of_a_run_come_in_order_with_their_meaning():
    n, label = 4, {"car": True, "vru": False, "density": 1}
    record = {"truth": label, "predicted": label, "cost": 1.25, "mode": "med", "missed": False}
    tokens = np.arange(4 * n).reshape(4, n)
    erased = np.zeros((4, n), bool)
    erased[0, :2] = True
    arrays = {"tokens": tokens, "decided": tokens, "state": tokens, "erased": erased}
    summary = TWIST.summarize([record] * 4, arrays)
    timing = {"frames_per_s": 10.0, "first_slot_s": 0.1, "wall_s": 1.0, "latency_s": {}}
    rows = summary_rows(summary, timing, {}, TWIST.metrics)
    assert rows[:8] == [
        ("F1 average", "not defined", "mean over 4 labelled frames"), ("F1 car", "1.000", "car present"),
        ("F1 VRU", "not defined", "pedestrian, cyclist present"), ("F1 density", "1.000", "macro, low medium high"),
        ("TSMR", "0.000", "twin tokens unlike the camera's"), ("AUER", "0.000", "wrong among accepted tokens"),
        ("erased", "12.5 %", "tokens below their threshold"), ("cost", "1.250", "mean budget over nominal"),
    ]  # fmt: skip
    assert ("frames", "4", "0 unreadable skipped") in rows
    rows = summary_rows(summary, timing, {"camera": {"n_skipped": 3}}, TWIST.metrics)
    assert ("frames", "4", "3 unreadable skipped") in rows


def test_a_system_that_is_not_there_is_refused_by_name():
    with pytest.raises(ValueError, match="system is 'morse', expected one of twist, adaptive, tokcode"):
        RunConfig("x", system="morse")
    result = CliRunner().invoke(app, ["demo", "--system", "morse"])
    assert isinstance(result.exception, ValueError) and "system is 'morse'" in str(result.exception)


def test_run_folders_from_before_there_were_systems_are_twists():
    from dataclasses import asdict

    raw = asdict(RunConfig("x"))
    del raw["system"]
    assert run_config_from_dict(raw) == RunConfig("x")


@pytest.mark.parametrize("command", ["demo", "loopback", "evaluate", "claims", "figure", "report", "host tx"])
def test_help_names_every_system(command):
    text = " ".join(CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=300).output.split())
    assert "--system" in text and all(name in text for name in SYSTEMS)


def test_help_names_every_channel_and_every_policy():
    assert set(FADING_MODELS) == set(CHANNELS.removesuffix(".").replace(" or ", ", ").split(", "))
    named = []
    for family in POLICIES.removesuffix(".").split("; "):
        stem = family.split(", ")[0].rpartition("-")[0] if ", -" in family else ""
        for name in family.split(", "):
            stem = name.rpartition("-")[0] if not name.startswith("-") else stem
            named.append(stem + name if name.startswith("-") else name)
    assert set(named) == {policy for system in SYSTEMS.values() for policy in system.policies}


def test_descriptions_are_read_without_torch():
    code = "import sys, tokenlink.systems; print([m for m in ('torch', 'PIL', 'zmq') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(LIBRARY.parent), "PATH": ""})  # fmt: skip
    assert done.stdout.strip() == "[]"


def asks_which_system(node):
    """Whether a comparison is of something called system with the name of one."""
    sides = [node.left, *node.comparators]
    named = any("system" in ast.unparse(side).lower() for side in sides if not isinstance(side, ast.Constant))
    return named and any(isinstance(side, ast.Constant) and side.value in header.SYSTEMS for side in sides)


def test_nobody_asks_which_system_it_is():
    found = []
    for path in sorted(LIBRARY.rglob("*.py")):
        compares = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Compare))
        found += [f"{path.name}: {ast.unparse(node)}" for node in compares if asks_which_system(node)]
    assert not found
    assert asks_which_system(ast.parse("run.system == 'twist'").body[0].value)


def test_of_very_many_modes_the_table_names_the_most_frequent():
    summary = {"mode_shares": {"a": 0.1, "b": 0.4, "c": 0.05, "d": 0.3, "e": 0.15}, "n_frames": 20, "n_missed": 0}
    timing = {"frames_per_s": 10.0, "first_slot_s": 0.1, "wall_s": 1.0, "latency_s": {}}
    rows = summary_rows(summary, timing, {}, ())
    assert rows[0] == ("modes", "b 40 %, d 30 %, e 15 %, others 15 %", "share of frames")
