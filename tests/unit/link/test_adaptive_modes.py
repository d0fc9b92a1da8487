# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode table of the adaptive system: pairs in order, headers as long as they must be, every mistake named."""

import numpy as np
import pytest
import yaml

from tokenlink.channel import awgn
from tokenlink.link.adaptive import HEADER_BYTES, _header_link
from tokenlink.link.adaptive_modes import (
    HEADER_MARGIN_DB,
    HEADER_SENSITIVITY_DB,
    AdaptiveTableError,
    load_adaptive_table,
    parse_adaptive_table,
)
from tokenlink.link.token_ratios import RATIOS

RAW = {"schema": 1, "alpha": [0.5, 1.0], "r": [0.005, 0.5], "useful_esn0_db": [[6, -2.0], [5, -5]]}


def test_the_shipped_table_has_every_pair():
    table = load_adaptive_table()
    assert table.ratios == RATIOS and table.alphas == tuple(k / 10 for k in range(1, 11))
    pairs = [(alpha, ratio) for alpha in table.alphas for ratio in table.ratios]
    assert [(mode.alpha, mode.ratio) for mode in table.modes] == pairs
    assert [mode.mode_id for mode in table.modes] == list(range(50))
    assert all(table.mode_of(*pair).mode_id == mode_id for mode_id, pair in enumerate(pairs))
    assert {mode.symbols_per_token for mode in table.modes} == {1, 19, 29, 48, 96}


def lost_headers(n_symbols, esn0_db, n_trials, seed):
    """How many of so many headers are lost in white noise."""
    rng, link, n0 = np.random.default_rng(seed), _header_link(n_symbols), 10 ** (-esn0_db / 10)
    payloads = [rng.bytes(HEADER_BYTES) for _ in range(n_trials)]
    received = awgn(np.stack([link.encode(each) for each in payloads]), n0, rng)
    back = link.decode(received, np.ones(n_trials, np.complex64), np.full(n_trials, n0, np.float32))
    assert all(got in (None, sent) for got, sent in zip(back, payloads, strict=True))
    return back.count(None)


@pytest.mark.parametrize("n_symbols", HEADER_SENSITIVITY_DB)
def test_headers_are_as_sensitive_as_stated(n_symbols):
    """600 headers, seed 1: one in a hundred lost at most, and more than that 1 dB below (lost in 2 to 10 %)."""
    sensitivity_db = HEADER_SENSITIVITY_DB[n_symbols]
    assert lost_headers(n_symbols, sensitivity_db, 600, 1) <= 6
    assert lost_headers(n_symbols, sensitivity_db - 1, 600, 1) > 6


def test_every_header_is_read_3_db_below_what_its_symbols_are_useful_at():
    for mode in load_adaptive_table().modes:
        assert HEADER_SENSITIVITY_DB[mode.header_symbols] <= mode.useful_esn0_db - HEADER_MARGIN_DB
        shorter = [db for size, db in HEADER_SENSITIVITY_DB.items() if size < mode.header_symbols]
        assert all(db > mode.useful_esn0_db - HEADER_MARGIN_DB for db in shorter)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema": 2}, "schema is 2, must be 1"),
        ({"alpha": [0.5, 1.5]}, r"alpha is \[0.5, 1.5\], must be a list of different numbers in \(0, 1\]"),
        ({"alpha": []}, r"alpha is \[\]"),
        ({"alpha": [0.5, 0.5]}, r"alpha is \[0.5, 0.5\]"),
        ({"r": [0.005, 0.3]}, "r is 0.3, must be among 0.005, 0.1, 0.15, 0.25, 0.5"),
        ({"r": 0.5}, "r is 0.5, must be a list"),
        ({"useful_esn0_db": [[6, -2]]}, "useful_esn0_db is .*must be 2 lists, one an alpha, of 2 numbers"),
        ({"useful_esn0_db": [[6, True], [5, 5]]}, "useful_esn0_db is .*must be 2 lists"),
        ({"useful_esn0_db": [[6, -20.0], [5, 5]]}, "useful_esn0_db is -20.0, must be at least -5.2 dB, 3 dB above"),
        ({"colour": 1}, r"field is \['colour'\], must be among"),
    ],
)
def test_mistakes_are_named(change, match):
    with pytest.raises(AdaptiveTableError, match=match):
        parse_adaptive_table(RAW | change)


def test_files_pairs_and_numbers_that_are_not_there_are_named(tmp_path):
    with pytest.raises(AdaptiveTableError, match="adaptive mode table .*nowhere.yaml"):
        load_adaptive_table(tmp_path / "nowhere.yaml")
    with pytest.raises(AdaptiveTableError, match=r"missing field is \['r'\]"):
        parse_adaptive_table({name: value for name, value in RAW.items() if name != "r"})
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(RAW))
    table = load_adaptive_table(tmp_path / "mine.yaml")
    assert table.source.endswith("mine.yaml") and len(table.modes) == 4 and table.n_tokens == 64
    with pytest.raises(AdaptiveTableError, match="mode_id is 4, must be in 0..3"):
        table.mode(4)
    with pytest.raises(AdaptiveTableError, match="alpha is 0.4, must be one of 0.5, 1.0"):
        table.mode_of(0.4, 0.5)
    with pytest.raises(AdaptiveTableError, match="r is 0.1, must be one of 0.005, 0.5"):
        table.mode_of(0.5, 0.1)
