# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prediction leaves to be told, against entropies worked by hand."""

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.link.outlook import outlook
from tokenlink.phy.capacity import capacity

TABLE = load_mode_table()
SHAPE = TABLE.n_tokens, TABLE.vocab_size


def test_of_a_frame_that_is_sure_nothing_is_news():
    sure = np.zeros(SHAPE, np.float32)
    sure[:, 7] = 1
    ahead = outlook(sure, TABLE)
    assert not ahead.news_bits.any() and not ahead.surprise.any() and (ahead.required_esn0_db == -np.inf).all()


def test_of_a_frame_that_is_unknown_everything_is_news():
    ahead = outlook(np.full(SHAPE, 1 / TABLE.vocab_size, np.float32), TABLE)
    assert ahead.news_bits == pytest.approx(TABLE.group_info_bits, rel=1e-5)
    assert ahead.surprise.sum() == pytest.approx(1 - 1 / TABLE.vocab_size)
    for mode, needs in zip(TABLE.modes, ahead.required_esn0_db, strict=True):
        rates = [4 * float(rate) for rate in mode.code_rates]
        assert np.all(capacity(needs) >= np.array(rates) - 0.05) and np.all(capacity(needs) <= np.array(rates) + 0.05)


def test_each_group_has_its_own_news():
    """In group 1 one of four codes at each position, all others sure: 2 bits a token, 3 of 4 guesses wrong."""
    p = np.zeros(SHAPE, np.float32)
    p[:, 0] = 1
    positions = TABLE.group_positions[1]
    p[positions] = 0
    p[positions, :4] = 0.25
    ahead = outlook(p, TABLE)
    assert ahead.news_bits == pytest.approx([0, 2 * len(positions), 0, 0])
    assert ahead.surprise == pytest.approx([0, 0.75 * len(positions) / TABLE.n_tokens, 0, 0])
    by_budget = [ahead.required_esn0_db[mode.mode_id, 1] for mode in sorted(TABLE.modes, key=lambda m: -m.budget)]
    assert by_budget == sorted(by_budget)


@pytest.mark.parametrize("spoil", [np.nan, -0.1, np.inf])
def test_what_is_no_probability_is_refused(spoil):
    p = np.full(SHAPE, 1 / TABLE.vocab_size, np.float32)
    p[3, 4] = spoil
    with pytest.raises(ValueError, match="NaN or negative"):
        outlook(p, TABLE)
    with pytest.raises(ValueError, match="shape"):
        outlook(p[1:], TABLE)
