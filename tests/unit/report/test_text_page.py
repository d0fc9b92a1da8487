# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of the page of texts: lost tokens struck out, losses placed by their Es/N0."""

import re

from tokenlink.report.text_page import EDGE, HEIGHT, WIDTH, losses_svg, marked


def test_tokens_that_did_not_come_are_struck_out():
    pieces = ["▁a", "▁<cat", "s", "▁sit"]
    assert marked(pieces, [5, -1, 6, -1]) == "a<s> &lt;cat</s>s<s> sit</s>"
    assert marked(pieces[:2], []) == "<s> a</s><s> &lt;cat</s>"
    assert marked(pieces[:1], [9]) == "a"


def test_losses_stand_where_their_share_and_channel_put_them():
    records = [{"channel": {"esn0_db": esn0_db}, "lost_packets": lost, "missed": False}
               for esn0_db, lost in ((0.0, 1.0), (10.0, 0.0), (5.0, 0.2))]  # fmt: skip
    records.append({"channel": {"esn0_db": None}, "lost_packets": 1.0, "missed": True})
    found = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', losses_svg(records))
    high, low = EDGE, HEIGHT - EDGE
    expected = [(EDGE, high), (WIDTH - EDGE, low), (WIDTH / 2, low - 0.2 * (low - high))]
    assert [(float(x), float(y)) for x, y in found] == expected
    assert "Nothing came" in losses_svg(records[3:])
