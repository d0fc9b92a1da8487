# SPDX-License-Identifier: GPL-3.0-or-later
"""What a soak tells: growth from noise and warm-up, a real process's figures, and rows that are not kept."""

import os

import numpy as np
import pytest

from tokenlink.loop.soak import _Rows, growth, process_figures, soak

TIMES_S = np.arange(0, 600, 5.0)


def test_a_leak_is_found_and_its_slope_is_right():
    rng = np.random.default_rng(1)
    found = growth(TIMES_S, 100 + 2.0 * TIMES_S / 60 + rng.normal(0, 0.5, TIMES_S.size))
    assert found["grows"] and found["per_minute"] == pytest.approx(2.0, abs=0.1)


def test_warming_up_is_no_leak():
    found = growth(TIMES_S, 200 - 100 * np.exp(-TIMES_S / 20))
    assert not found["grows"] and abs(found["per_minute"]) < 0.5
    assert found["first"] == pytest.approx(200, abs=0.1)


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_few_samples_give_figures_too(n):
    assert growth(TIMES_S[:n], [50.0] * n) == pytest.approx(
        {"first": 50.0, "last": 50.0, "per_minute": 0.0, "grows": False}, abs=1e-9)


def test_figures_are_those_of_the_process():
    figures = process_figures(os.getpid())
    status = dict(line.split(":", 1) for line in open(f"/proc/{os.getpid()}/status").read().splitlines() if ":" in line)
    assert figures["rss_mb"] == pytest.approx(int(status["VmRSS"].split()[0]) / 1024, rel=0.05)
    assert figures["threads"] == int(status["Threads"]) and figures["files"] >= 3
    assert process_figures(2**22 + 1) is None


def test_rows_count_all_and_keep_few():
    rows = _Rows(keep=10)
    for n in range(100):
        rows.append(n)
        assert len(rows) == n + 1 and rows[n:] == [n]
    assert rows[97:] == [97, 98, 99] and len(rows._rows) <= 11 and rows[-1] == 99


def test_no_time_is_no_soak(tmp_path):
    with pytest.raises(ValueError, match="minutes is 0"):
        soak(0, None, tmp_path)
