# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio delivers, in parts: each slot once, cells against numpy's histogram, scales of rates that lack one."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.modes import load_mode_table
from tokenlink.study import outcomes
from tokenlink.study.outcomes import HARD_LLR, Outcomes, harden, reliability_cells, uniform_table

TABLE = load_mode_table()


class Watched(Channel):
    """A channel that remembers for which slots noise was drawn."""

    def __init__(self, *options):
        super().__init__(*options)
        self.drawn = []

    def noise_rng(self, slot):
        self.drawn.append(int(slot))
        return super().noise_rng(slot)


def test_each_slot_is_sent_once_however_many_are_sent_together(monkeypatch):
    monkeypatch.setattr(outcomes, "CHUNK_FRAMES", 3)
    tokens = np.random.default_rng(1).integers(0, TABLE.vocab_size, (8, TABLE.n_tokens))
    channel = Watched(ChannelConfig("rayleigh", 12.0), 4)
    found = Outcomes(tokens, channel, TABLE)
    found.compute(0, [6, 1])
    assert channel.drawn == [6, 1]
    found.compute(0)
    assert channel.drawn == [6, 1, 0, 2, 3, 4, 5, 7]
    apart = Outcomes(tokens, Channel(ChannelConfig("rayleigh", 12.0), 4), TABLE)
    for slot in range(8):
        for left, right in zip(found.get(slot, 0), apart.get(slot, 0), strict=True):
            assert left.dtype == right.dtype and np.array_equal(left, right)
    assert len(channel.drawn) == 8
    found.get(5, 2)
    assert channel.drawn[8:] == [5]


def test_cells_are_numpys_histograms():
    rng = np.random.default_rng(2)
    confidence = rng.random(TABLE.n_tokens).astype(np.float32)
    confidence[::5], confidence[1::5] = 1.0, 0.0  # both ends belong to bins
    sent, decided = rng.integers(0, 2, (2, TABLE.n_tokens))
    cells = reliability_cells(decided, confidence, sent, TABLE)
    assert cells.shape == (TABLE.n_groups, 20, 3)
    for group, positions in enumerate(TABLE.group_positions):
        at, right = confidence[positions], (decided == sent)[positions]
        for kind, weights in enumerate((None, at, right.astype(float))):
            expected = np.histogram(at, 20, (0, 1), weights=weights)[0]
            np.testing.assert_allclose(cells[group, :, kind], expected, rtol=1e-6, err_msg=str((group, kind)))


def test_a_bit_that_nothing_is_known_of_is_a_zero():
    """As of `ldpc.decode`: negative means 1."""
    assert harden(np.float32([-1e-9, 0.0, 1e-9])).tolist() == [-HARD_LLR, HARD_LLR, HARD_LLR]


@pytest.mark.parametrize("rate, nearest", [(Fraction(2, 5), Fraction(1, 3)), (Fraction(7, 10), Fraction(2, 3)),
                                           (Fraction(9, 10), Fraction(5, 6)), (Fraction(1, 5), Fraction(1, 3))])
def test_a_rate_without_a_scale_has_that_of_the_nearest(rate, nearest):
    scales = {Fraction(1, 3): 0.5, Fraction(1, 2): 0.6, Fraction(2, 3): 0.7, Fraction(5, 6): 0.8}
    known = replace(TABLE, llr_scale=scales)
    found = uniform_table(known, (Fraction(5, 6), rate)).llr_scale
    assert found[rate] == scales[nearest] and scales.items() <= found.items()


def test_rates_to_choose_from_are_those_of_the_link():
    """1/3, 1/2, 2/3, 5/6, as docs/evaluation.md says; also for a table that uses none of them."""
    rates = (Fraction(3, 4),) * TABLE.n_groups
    odd = replace(TABLE, modes=tuple(replace(mode, code_rates=rates) for mode in TABLE.modes))
    rates = {rate for mode in uniform_table(odd).modes for rate in mode.code_rates}
    assert outcomes.CODE_RATES == tuple(map(Fraction, ("1/3", "1/2", "2/3", "5/6")))
    assert rates == {Fraction(2, 3), Fraction(1, 2), Fraction(1, 3)}


def test_the_strongest_rate_that_fits_exactly_is_taken():
    """A code rate that fills the budget to the last symbol fits; one symbol less does not do."""
    mode = TABLE.modes[1]
    uses = TABLE.total_channel_uses(replace(mode, code_rates=(Fraction(1, 2),) * TABLE.n_groups))
    for budget, rate in ((uses, Fraction(1, 2)), (uses - 1, Fraction(2, 3))):
        one = replace(TABLE, modes=(replace(mode, mode_id=0, budget=budget),))
        assert uniform_table(one, outcomes.CODE_RATES[::-1]).modes[0].code_rates == (rate,) * TABLE.n_groups
