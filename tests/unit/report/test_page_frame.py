# SPDX-License-Identifier: GPL-3.0-or-later
"""What every page of a run shows, read from its HTML."""

import re

from tokenlink.report.page_frame import filled_page
from tokenlink.systems import system_named

CONFIG = {"policy": "twist", "radio": "simulator", "source": "invented:1", "seed": 1,
          "channel": {"model": "awgn", "esn0_db": 8.0, "trajectory": {"kind": "constant"}}}  # fmt: skip


def test_cards_are_the_metrics_said_to_be_on_one_and_the_rate():
    rows = [("TSMR", "0.05", "a"), ("F1 car", "0.9", "b"), ("frames/s", "30", "c"), ("cost", "1 < 2", "d")]
    info, parts = {"status": "complete"}, {"traces": "", "data": "[]"}
    page = filled_page("run_page.html", CONFIG, info, rows, system_named("twist"), **parts)
    cards = re.findall(r"<div class=card><b>(.*?)</b><span>(.*?)</span>", page)
    assert cards == [("0.05", "TSMR"), ("30", "frames/s"), ("1 &lt; 2", "cost")]
    assert all(f"<th>{name}</th>" in page for name, *_ in rows)
