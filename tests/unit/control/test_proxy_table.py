# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxy tables: what training writes is read, values between the points are np.interp's, every mistake is named."""

import json

import numpy as np
import pytest

from tokenlink.control import ProxyError, ProxyTable, load_proxy
from tokenlink.control.proxy_table import parse_proxy

SYMBOLS = {0.1: 19, 0.5: 96}
RAW = {
    "alpha": [0.2, 1.0],
    "r": [0.1, 0.5],
    "snr_db": [-10, 0, 20],
    "accuracy": [[[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]], [[0.3, 0.5, 0.7], [0.4, 0.8, 0.9]]],
    "n_tokens": [13.5, 65],
}


def parsed(**change):
    return parse_proxy(RAW | change, SYMBOLS.get, 49152)


def test_modes_are_counted_by_ratio_then_by_budget():
    table = parsed()
    assert [table.pair(m) for m in range(4)] == [(0.2, 0.1), (0.2, 0.5), (1.0, 0.1), (1.0, 0.5)]
    assert [table.mode_id(*table.pair(m)) for m in range(4)] == [0, 1, 2, 3]
    np.testing.assert_allclose(table.bandwidth_ratio * 49152, [13.5 * 19, 13.5 * 96, 65 * 19, 65 * 96])
    np.testing.assert_array_equal(table.accuracy[1], [0.2, 0.4, 0.6])
    np.testing.assert_array_equal(table.by_cost, [0, 2, 1, 3])


def test_accuracy_between_and_beyond_the_points():
    """Against np.interp, 200 values of seed 2 and the points themselves."""
    table = parsed()
    esn0_db = np.concatenate([np.random.default_rng(2).uniform(-30, 40, 200), table.esn0_db])
    expected = np.stack([np.interp(esn0_db, table.esn0_db, row) for row in table.accuracy], axis=-1)
    np.testing.assert_allclose(table.accuracy_at(esn0_db), expected, atol=1e-12)
    np.testing.assert_allclose(table.accuracy_at(7.0), [np.interp(7.0, table.esn0_db, row) for row in table.accuracy])


def test_a_table_of_one_snr_has_one_accuracy():
    one = parsed(snr_db=[5], accuracy=[[[0.1], [0.2]], [[0.3], [0.4]]])
    np.testing.assert_array_equal(one.accuracy_at([-3.0, 9.0]), [[0.1, 0.2, 0.3, 0.4]] * 2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"alpha": [0.2, 0.2]}, r"alpha is \[0.2, 0.2\], must be 1 to 64 different numbers in \(0, 1\]"),
        ({"alpha": [0.0, 1.0]}, r"alpha is \[0.0, 1.0\]"),
        ({"r": [0.1, 1.5]}, r"r is \[0.1, 1.5\]"),
        ({"alpha": []}, r"alpha is \[\], must be numbers"),
        ({"alpha": "all"}, "alpha is 'all', must be numbers"),
        ({"r": [True, False]}, "r is .*must be numbers"),
        ({"snr_db": [0, -10, 20]}, r"snr_db is \[0.0, -10.0, 20.0\], must be rising"),
        ({"snr_db": [-10, 0]}, r"shape of accuracy is \(2, 2, 3\), must be \(2, 2, 2\)"),
        ({"n_tokens": [13.5]}, r"shape of n_tokens is \(1,\), must be \(2,\)"),
        ({"n_tokens": [13.5, 0]}, "bandwidth_ratio is 0.0, must be > 0"),
        ({"accuracy": [[[0.1, 0.3], [0.2]], [[0.3], [0.4]]]}, "accuracy is .*must be numbers, in rows of one length"),
        ({"accuracy": (np.array(RAW["accuracy"]) * 2).tolist()}, "accuracy is 1.2, must be in"),
        ({"accuracy": (np.array(RAW["accuracy"]) * np.nan).tolist()}, "accuracy is nan, must be finite"),
    ],
)
def test_mistakes_are_named(change, match):
    with pytest.raises(ProxyError, match=match):
        parse_proxy(RAW | change, lambda r: SYMBOLS.get(r, 1), 49152)


def test_missing_fields_and_unknown_pairs_are_named():
    with pytest.raises(ProxyError, match=r"missing fields of proxy is \['accuracy', 'r'\]"):
        parse_proxy({key: RAW[key] for key in ("alpha", "snr_db", "n_tokens")}, SYMBOLS.get, 49152)
    with pytest.raises(ProxyError, match="alpha is 0.3, must be one of 0.2, 1.0"):
        parsed().mode_id(0.3, 0.1)
    with pytest.raises(ProxyError, match="r is 0.2, must be one of 0.1, 0.5"):
        parsed().mode_id(0.2, 0.2)
    with pytest.raises(ProxyError, match="mode_id is 4, must be in 0..3"):
        parsed().pair(4)
    with pytest.raises(ProxyError, match="pairs of alpha and r is 288, must be 256 at most"):
        ProxyTable(tuple(np.arange(1, 33) / 32), tuple(np.arange(1, 10) / 9), [0.0], np.zeros((288, 1)), np.ones(288))


def test_files_are_read_and_those_that_cannot_be_are_named(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"accuracy": 0.8, "proxy": RAW}))
    assert load_proxy(path, SYMBOLS.get, 49152).source == str(path)
    path.write_text(json.dumps({"accuracy": 0.8}))
    with pytest.raises(ProxyError, match="proxy table .*metrics.json: missing field is 'proxy'"):
        load_proxy(path, SYMBOLS.get, 49152)
    with pytest.raises(ProxyError, match="nowhere.json"):
        load_proxy(tmp_path / "nowhere.json", SYMBOLS.get, 49152)


def test_one_number_of_db_gives_what_an_array_of_it_gives():
    """Bit for bit, at measured points, between them and beyond; one of the two is tested against numpy above."""
    rng = np.random.default_rng(3)
    points = np.sort(rng.uniform(-20, 30, 7))
    table = ProxyTable((0.5, 1.0), (0.1, 0.5), points, rng.random((4, 7)), np.array([0.01, 0.02, 0.03, 0.04]))
    for value in [*points, *rng.uniform(-40, 50, 200), np.inf, -np.inf]:
        np.testing.assert_array_equal(table.accuracy_at(float(value)), table.accuracy_at(np.array([value]))[0])
