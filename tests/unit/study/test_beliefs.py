# SPDX-License-Identifier: GPL-3.0-or-later
"""Beliefs of a study's runs by themselves: who knows what, what is foretold once, and figures by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.modes import load_mode_table
from tokenlink.study.foretold import GENIE, UNKNOWN, Beliefs, Reception, StepKey, ToldOutcomes
from tokenlink.study.outcomes import Outcomes

TABLE = load_mode_table()
SENT = np.random.default_rng(1).integers(0, TABLE.vocab_size, (4, TABLE.n_tokens)).astype(np.int32)


class Predictor:
    """Says for each belief that its state comes again with a probability, all else alike; keeps what it was asked."""

    def __init__(self, sure=0.5):
        self.sure, self.asked = sure, []

    def __call__(self, beliefs):
        self.asked.append(beliefs)
        rest = (1 - self.sure) / (TABLE.vocab_size - 1)
        values = np.full((len(beliefs), TABLE.n_tokens, TABLE.vocab_size), rest, np.float32)
        for row, belief in zip(values, beliefs, strict=True):
            row[np.arange(TABLE.n_tokens), belief.state] = self.sure
        return values


def test_the_genie_knows_the_two_frames_before_and_nothing_at_first():
    predict = Predictor()
    beliefs = Beliefs(SENT, predict)
    assert beliefs.of_genie(0) == UNKNOWN and beliefs.outlook(UNKNOWN, TABLE) is None
    numbers = [beliefs.of_genie(slot) for slot in (1, 2, 3)]
    assert len(set(numbers)) == 3 and [beliefs.of_genie(slot) for slot in (1, 2, 3)] == numbers
    beliefs.foretell(numbers)
    for slot, belief in enumerate(predict.asked[0], start=1):
        np.testing.assert_array_equal(belief.state, SENT[slot - 1])
        assert (belief.sureness == 1).all() and belief.age == 1
        assert belief.before is None if slot == 1 else np.array_equal(belief.before, SENT[slot - 2])


def test_what_follows_from_a_belief_is_asked_once_and_kept_as_long_as_it_is_wanted():
    predict = Predictor()
    beliefs = Beliefs(SENT, predict)
    first, second, third = (beliefs.of_genie(slot) for slot in (1, 2, 3))
    for wanted, asked in (([first, second, first], 2), ([second], 0), ([], 0), ([second, third], 2), ([third], 0)):
        before = len(predict.asked)
        beliefs.foretell(wanted)
        assert sum(map(len, predict.asked[before:])) == asked


def half_as_before():
    """Frames whose second has every other token of the first."""
    sent = SENT.copy()
    sent[1, ::2], sent[1, 1::2] = sent[0, ::2], (sent[0, 1::2] + 1) % TABLE.vocab_size
    return sent


def test_an_answer_to_fewer_beliefs_than_were_asked_about_is_none():
    beliefs = Beliefs(SENT, lambda asked: Predictor()(asked[:1]))
    with pytest.raises(ValueError, match="shorter"):
        beliefs.foretell([beliefs.of_genie(1), beliefs.of_genie(2)])


def test_news_are_the_bits_that_the_prior_leaves_to_be_said():
    """Of a frame of which half is the frame before: log2 of 1 / 0.5, and of (K - 1) / 0.5 for the rest."""
    sent = half_as_before()
    beliefs = Beliefs(sent, Predictor())
    number = beliefs.of_genie(1)
    beliefs.foretell([number])
    llr = Outcomes(sent, Channel(ChannelConfig("awgn", 30.0), 1), TABLE).llr(1, 0)
    found = beliefs.receive(number, 1, llr, TABLE.mode(0), TABLE, "once")
    assert found.news_bits == pytest.approx((1 + np.log2((TABLE.vocab_size - 1) / 0.5)) / 2, rel=1e-5)
    np.testing.assert_array_equal(found.token_ids, sent[1])
    assert not found.erased.any() and found.cells[..., 2].sum() == TABLE.n_tokens


@pytest.mark.parametrize("prior, exchanges", [("0", 0), ("once", 1), ("2", 2), ("3", 3), (GENIE, 3)])
def test_decoder_and_prior_talk_as_often_as_the_prior_is_named(prior, exchanges):
    """At 0 dB, where the prior is believed and parity never holds: all exchanges there may be take place."""
    sent = half_as_before()
    beliefs = Beliefs(sent, Predictor())
    number = beliefs.of_genie(1)
    beliefs.foretell([number])
    llr = Outcomes(sent, Channel(ChannelConfig("awgn", 0.0), 1), TABLE).llr(1, 0)
    found = beliefs.receive(number, 1, llr, TABLE.mode(0), TABLE, prior)
    assert found.exchanges == exchanges and found.doubt < 1


def test_means_of_a_run_with_a_prior_by_hand():
    nobody = np.zeros(2, np.int32), np.zeros(2, bool), np.ones(2, np.float32)
    cells = np.ones((4, 20, 3))
    told = (cells, 0.1, 2, 3.0), (2 * cells, 0.4, 1, 5.0)
    receptions = [Reception(*nobody), *(Reception(*nobody, *each) for each in told)]
    own = SimpleNamespace(states="states", reliability=lambda slot, mode_id: (slot, mode_id))
    outcomes = ToldOutcomes(own, receptions)
    assert outcomes.states == "states" and outcomes.reliability(0, 2) == (0, 2)
    assert (outcomes.reliability(1, 2) == 1).all() and (outcomes.reliability(2, 0) == 2).all()
    assert outcomes.prior_figures() == {"n_slots": 2, "doubt": pytest.approx(0.5), "exchanges": pytest.approx(1.0),
                                        "news_bits": pytest.approx(4.0)}  # fmt: skip
    assert ToldOutcomes(own, receptions[:1]).prior_figures()["news_bits"] is None


def test_a_state_is_what_is_decided_with_a_prior_or_not_erased():
    decided, sure = np.zeros(2, np.int32), np.ones(2, np.float32)
    cases = ([False, False], 1.0, True), ([True, False], 1.0, False), ([True, True], 0.6, True)
    for erased, doubt, expected in cases:
        assert Reception(decided, np.array(erased), sure, doubt=doubt).is_state == expected


def test_runs_without_a_prior_share_what_they_receive_and_runs_with_one_share_it_by_belief():
    plain = [StepKey(3, state, "full", 0, 1, prior) for state, prior in ((5, "off"), (6, "off"), (7, "once"))]
    assert {key.source for key in plain} == {("full", 0, 1)} and not any(key.is_told for key in plain)
    told = [key._replace(prior="once", belief=belief) for key, belief in zip(plain, (0, 0, 1), strict=True)]
    assert all(key.is_told for key in told) and len({key.source for key in told}) == 2
