# SPDX-License-Identifier: GPL-3.0-or-later
"""Priors on their way from the twin's belief to a simulated receiver, with functions in place of the learned models."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink import systems
from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.modes import load_mode_table
from tokenlink.link.prior_schedule import LAG_S, Expected
from tokenlink.link.token_prior import SparsePrior
from tokenlink.loop.foretelling import Expectations, Foretelling
from tokenlink.loop.run_config import RunConfig, best_prior, check_artifacts
from tokenlink.loop.simulated_radio import PRIOR_TIMEOUT_S, NoPriors, PriorLockStep, SimulatedLink
from tokenlink.loop.twin import Twin, make_twin
from tokenlink.models.artifact_files import ArtifactMissingError
from tokenlink.wire import LinkReport, ModeCommand, TokenEstimate, TokenFrame, decode, encode

TABLE = load_mode_table()
N, K = TABLE.n_tokens, TABLE.vocab_size
TOKENS = np.random.default_rng(1).integers(0, K, N).astype(np.int32)
KNOWN, SURE = np.zeros(N, bool), np.full(N, 0.9, np.float32)


def staying(belief):
    """Every token stays, with 0.9 less 0.1 a slot of age; all others are evenly likely, but for two favourites."""
    stays = 1.0 - 0.1 * belief.age
    probability = np.full((N, K), 0.02 / K)
    probability[:, [7, 11]] += (0.98 - stays) / 2
    np.add.at(probability, (np.arange(N), belief.state), stays)
    return probability.astype(np.float32)


class Wire:
    """A PullSocket that holds these messages, and then nothing; what was asked of it in vain is counted."""

    def __init__(self, *messages, lost=0):
        self.messages, self.counts, self.in_vain = list(messages), {"lost": lost}, 0
        self.asked_s = []

    def recv(self, timeout_s):
        self.asked_s.append(timeout_s)
        if self.messages:
            return self.messages.pop(0)
        self.in_vain += 1
        return None


def test_a_prior_lists_what_the_predictor_finds_likeliest():
    foretelling = Foretelling(staying, TABLE, codes=3)
    empty = foretelling.prior(0)
    assert (empty.slot, empty.listed.size, empty.probability.size) == (0, 0, 0)
    foretelling.take(TOKENS, KNOWN, SURE, TOKENS)
    prior = foretelling.prior(1)
    assert decode(encode(prior)) == prior
    assert (prior.slot, prior.vocab_size, prior.n_tokens, prior.codebook) == (1, K, N, TABLE.codes_sha256)
    expected = staying(foretelling.belief)
    for codes, values, row in zip(prior.listed.reshape(N, 3), prior.probability.reshape(N, 3), expected, strict=True):
        np.testing.assert_array_equal(values, row[codes])
        np.testing.assert_array_equal(np.sort(values)[::-1], np.sort(row)[::-1][:3])


def test_the_policy_hears_what_is_expected_and_it_is_foretold_once():
    """0.9 on the token that was, 0.04 on two others, 0.02 on all: 0.8 bits of news a token, a tenth a surprise."""
    asked = []
    run = RunConfig("x", policy="twin-aware", prior="1")
    models = SimpleNamespace(complete=lambda ids, *_: ids, read=lambda ids: {},
                             predict=lambda belief: asked.append(belief) or staying(belief))  # fmt: skip
    twin, heard = make_twin(models, run, TABLE), []
    step = twin.policy.step
    twin.policy.step = lambda state, report: heard.append(report) or step(state, report)
    twin.step(TokenEstimate(0, 0, 1, TOKENS, SURE, KNOWN, 1j, 0.1, 10.0))
    twin.foretelling.prior(1)
    assert len(asked) == 1
    bits = 0.9 * np.log2(1 / 0.9) + 2 * 0.04 * np.log2(1 / 0.04) + 0.02 * np.log2(K / 0.02)
    assert heard[0].outlook.news_bits.sum() == pytest.approx(N * bits, rel=0.01)
    assert heard[0].outlook.surprise.sum() == pytest.approx(0.1, rel=0.01)


def test_what_is_best_depends_on_the_weights(tmp_path):
    assert best_prior("twist") == "3"
    (tmp_path / "tokenizer").mkdir()
    assert best_prior("twist", tmp_path) == "off"


def test_a_policy_that_foresees_needs_a_prior():
    with pytest.raises(ValueError, match="prior is 'off' with policy twin-aware"):
        RunConfig("x", policy="twin-aware")


def test_slots_of_which_nothing_came_make_the_belief_older():
    foretelling = Foretelling(staying, TABLE)
    foretelling.take(TOKENS, ~KNOWN, 0 * SURE, TOKENS)
    assert foretelling.belief is None, "nothing has been received yet"
    erased = np.arange(N) < 9
    foretelling.take(TOKENS, erased, SURE, np.full(N, 5))
    foretelling.take(TOKENS, ~KNOWN, 0 * SURE, np.full(N, 6))
    belief = foretelling.belief
    assert belief.age == 2 and belief.before is None
    np.testing.assert_array_equal(belief.state, np.where(erased, 5, TOKENS))
    np.testing.assert_array_equal(belief.sureness, np.where(erased, np.float32(0), SURE))
    assert np.median(foretelling.prior(2).probability.reshape(N, -1).max(1)) == pytest.approx(0.8, abs=1e-3)


def filler():
    return SimpleNamespace(complete=lambda token_ids, *_: np.full_like(token_ids, 3), predict=staying,
                           read=lambda token_ids: {"car": True, "vru": False, "density": 1})  # fmt: skip


def test_the_twin_believes_what_it_took_in_and_only_with_priors_on():
    estimate = TokenEstimate(0, 0, 1, TOKENS, SURE, np.arange(N) < 9, 1j, 0.1, 20.0)
    twins = [make_twin(filler(), RunConfig("x", prior=prior), TABLE) for prior in ("off", "2")]
    for twin in twins:
        twin.step(estimate)
        twin.miss(1)
    assert twins[0].foretelling is None
    assert twins[1].foretelling.belief.age == 2
    np.testing.assert_array_equal(twins[1].foretelling.belief.state, np.where(np.arange(N) < 9, 3, TOKENS))
    records = [Twin(filler(), RunConfig("x"), N).step(estimate)[0], make_twin(
        filler(), RunConfig("x", prior="2"), TABLE).step(estimate)[0]]  # fmt: skip
    assert records[0] == records[1]


@pytest.mark.parametrize(("doubt", "filled"), [(0.3, False), (1.0, True), (None, True), ("0.3", True)])
def test_what_a_prior_took_part_in_is_the_state_and_all_else_is_completed(doubt, filled):
    erased = np.arange(N) < 9
    estimate = TokenEstimate(0, 0, 1, TOKENS, SURE, erased, 1j, 0.1, 20.0)
    drops = {"prior": {"outcome": "used", "doubt": doubt, "exchanges": 1}}
    report = LinkReport(0, 0, 1j, 0.1, 20.0, np.ones(4, np.int32), np.ones(4, bool), drops)
    twin = make_twin(filler(), RunConfig("x", prior="2"), TABLE)
    record, _ = twin.step(estimate, report)
    np.testing.assert_array_equal(twin.state, np.where(erased, 3, TOKENS) if filled else TOKENS)
    assert record["u"] == erased.mean()
    np.testing.assert_array_equal(twin.foretelling.belief.sureness, np.where(erased, np.float32(0), SURE))


def prior_of(slot, tokens=TOKENS, **changes):
    foretelling = Foretelling(staying, TABLE)
    foretelling.take(tokens, KNOWN, SURE, tokens)
    return replace(foretelling.prior(slot), **changes)


def test_a_simulated_receiver_waits_for_the_prior_of_a_slot_and_no_other_message(monkeypatch):
    monkeypatch.setattr("tokenlink.loop.simulated_radio.PRIOR_TIMEOUT_S", 0.05)
    wire = Wire(ModeCommand(0, 0, 1), prior_of(0), prior_of(1), prior_of(3, codebook="ab"), lost=2)
    priors = PriorLockStep(wire, Expectations(TABLE, "3"))
    first = priors.of(0)
    assert (first.outcome, first.exchanges) == ("used", 3) and first.prior.n_tokens == N
    assert len(wire.messages) == 2, "only as far as was needed"
    assert [priors.of(slot).outcome for slot in (1, 2, 3)] == ["used", "missing", "foreign_codebook"]
    assert wire.in_vain == 0, "a later one says that it is lost"
    assert priors.of(4).outcome == "missing" and wire.in_vain > 0
    report = LinkReport(4, 0, 1.0, 1j, 0.1, np.ones(1, np.int32), np.ones(1, bool), {"prior": {}})
    assert priors.note(report).drops == {"prior": {}, "counts": {"receiver": {
        "prior_used": 2, "prior_missing": 2, "prior_lost": 1, "prior_foreign_codebook": 1, "wire_lost": 2}}}
    assert priors.note(wire) is wire
    assert NoPriors().of(0) is None and NoPriors().note(report) is report


def test_a_lost_prior_is_waited_for_no_longer_than_it_can_be_late_and_those_after_it_less(monkeypatch):
    wire, now_s = Wire(), [0.0]
    monkeypatch.setattr("tokenlink.loop.simulated_radio.time", SimpleNamespace(monotonic=lambda: now_s[0]))

    def recv(timeout_s):
        """As `Wire.recv`; waiting in vain takes its time."""
        message = Wire.recv(wire, timeout_s)
        now_s[0] += 0 if message else timeout_s
        return message

    wire.recv = recv
    priors, asked_s = PriorLockStep(wire, Expectations(TABLE, "3")), []
    for slot, outcome, messages in [(0, "used", [prior_of(0)]), (1, "missing", []), (2, "missing", []),
                                    (3, "used", [prior_of(2), prior_of(3)]), (4, "missing", [])]:  # fmt: skip
        wire.messages, wire.asked_s = messages, []
        assert priors.of(slot).outcome == outcome
        asked_s.append(wire.asked_s)
    late, less, least = (pytest.approx(LAG_S / part) for part in (1, 4, 16))
    assert asked_s == [[PRIOR_TIMEOUT_S], [late, 0], [less, 0], [least, late], [late, 0]]


def test_with_a_right_prior_more_comes_through_and_the_report_says_how():
    channel, told = Channel(ChannelConfig(esn0_db=4.0), 1), {}
    payload = systems.system_named("twist").payload
    link = SimulatedLink(channel, TABLE, payload, told.get)
    frame = TokenFrame(3, 0, TOKENS)
    plain, report = link.transfer(frame, 0)
    assert "prior" not in report.drops and (plain.token_ids != TOKENS).mean() > 0.3
    told[3] = Expected(None, "missing", 2)
    without, report = link.transfer(frame, 0)
    assert without == plain and report.drops["prior"] == {"outcome": "missing", "doubt": None, "exchanges": None}
    listed = np.column_stack([TOKENS, (TOKENS + 1) % K]).astype(np.int32)
    told[3] = Expected(SparsePrior(listed, np.full((N, 2), 0.45, np.float32), K), "used", 2)
    helped, report = link.transfer(frame, 0)
    assert decode(encode(helped)) == helped and decode(encode(report)) == report
    assert (helped.token_ids != TOKENS).mean() < 0.1 and helped.erased.mean() < plain.erased.mean()
    assert report.drops["prior"]["outcome"] == "used" and 1 <= report.drops["prior"]["exchanges"] <= 2
    assert 0 < report.drops["prior"]["doubt"] < 1


def test_a_run_that_cannot_have_priors_is_refused(tmp_path, monkeypatch):
    for wrong in ("5", "twice", ""):
        with pytest.raises(ValueError, match=f"prior is '{wrong}', expected one of off, once, 0, 1, 2, 3, 4"):
            RunConfig("x", prior=wrong)
    check_artifacts(RunConfig("x", prior="off"))
    bare = replace(systems.TWIST.models, names=())
    monkeypatch.setitem(systems.SYSTEMS, "twist", replace(systems.TWIST, models=bare))
    check_artifacts(RunConfig("x", artifacts=str(tmp_path)))
    with pytest.raises(ArtifactMissingError, match=f"--prior once needs the artifact predictor, which {tmp_path} does "
                                                   "not have: leave --prior at off, or train it with ./twist train"):
        check_artifacts(RunConfig("x", artifacts=str(tmp_path), prior="once"))
    monkeypatch.setitem(systems.SYSTEMS, "twist", replace(systems.TWIST, models=replace(bare, foretelling=())))
    with pytest.raises(ValueError, match="prior is '2', expected off: system twist foretells no frames"):
        RunConfig("x", prior="2")
