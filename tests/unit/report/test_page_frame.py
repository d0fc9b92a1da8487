# SPDX-License-Identifier: GPL-3.0-or-later
"""What every page of a run shows, read from its HTML."""

import json
import re

import pytest

from tokenlink.report.page_frame import card, filled_page, run_subtitle, run_title
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
    assert f"<pre>{json.dumps(info, indent=2)}</pre>".replace('"', "&quot;") in page


@pytest.mark.parametrize("radio, info, more, title, subtitle", [
    ("simulator", {"status": "complete"}, {}, "Closed loop: twist policy, awgn channel",
     "source invented:1 · awgn channel, 8 dB nominal Es/N0, constant · policy twist · radio simulator · seed 1"),
    ("running", {"status": "stopped", "nodes": {"camera": {"origin": "rendered"}}}, {"prior": "off"},
     "Closed loop: twist policy, running flowgraph",
     "source invented:1 (rendered) · channel as set in the running flowgraph · policy twist · radio running · seed 1 · "
     "stopped"),
    ("simulator", {"status": "complete", "nodes": {}}, {"prior": "once", "source": "a<b"},
     "Closed loop: twist policy, awgn channel",
     "source a&lt;b · awgn channel, 8 dB nominal Es/N0, constant · policy twist · radio simulator · seed 1 · "
     "prior once"),
])  # fmt: skip
def test_the_head_of_a_page_says_what_was_run_and_how(radio, info, more, title, subtitle):
    config = CONFIG | {"radio": radio} | more
    assert run_title(config) == title and run_subtitle(config, info) == subtitle


def test_a_card_escapes_all_it_is_told():
    assert card("a<", "b<", "c<") == "<div class=card><b>b&lt;</b><span>a&lt;</span><i>c&lt;</i></div>"
