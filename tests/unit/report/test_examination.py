# SPDX-License-Identifier: GPL-3.0-or-later
"""How a comparison that does not hold is read: each rule on rows that differ in one thing."""

import pytest

from tokenlink.report.examination import examine

F1 = {"metric": "f1_avg", "left": "twist", "right": "static-med", "interval": (-0.04, -0.02),
      "verdict": "does not hold"}  # fmt: skip


def rows_of(policy, tsmr, cost=1.0, urgent=0.5, spread=0.001, right=80):
    """Four sequences of equal length; the mismatch differs a little from one to the next."""
    part = {"car": [right, 10, 10, 0], "vru": [right, 10, 10, 0], "density": [[right, 10, 0], [10, 0, 0], [0, 0, 0]]}
    return [{"sequence": f"s{i}", "realisation": 0, "esn0_db": 8.0, "policy": policy, "receiver": "full",
             "n_frames": 100, "tsmr": tsmr + spread * i * (policy == "twist"), "auer": 0.1, "n_auer_frames": 100,
             "erasure_rate": 0.1, "cost": cost, "confusion": part,
             "urgent": {"n_frames": 20, "tsmr": urgent, "confusion": part}}
            for i in range(4)]  # fmt: skip


@pytest.mark.parametrize("tsmr, cost, verdict, cause", [
    (0.1, 1.0, "does not hold", "the claim"), (0.1, 1.0, "not distinguishable", "the data"),
    (0.3, 1.0, "does not hold", "our implementation"), (0.3, 0.995, "does not hold", "our implementation"),
    (0.3, 0.985, "does not hold", "the claim"), (0.3, 1.1, "not distinguishable", "our implementation"),
    (0.1985, 1.0, "does not hold", "the claim"),
])  # fmt: skip
def test_an_f1_is_read_by_mismatch_and_cost(tsmr, cost, verdict, cause):
    """The other side mismatches 0.2 at cost 1; a hundredth of the budget is no trade. In the last case both do so."""
    found = examine(F1 | {"verdict": verdict}, rows_of("twist", tsmr, cost), rows_of("static-med", 0.2), [])
    assert found["cause"] == cause and found["half_width"] == pytest.approx(0.01)
    assert found["cost"] == pytest.approx([cost - 1] * 3) and found["reach"] is None
    assert found["reading"].startswith(cause[:1].upper() + cause[1:] + ": ")
    assert f"cost {cost - 1:+.3f}" in found["reading"] and "+-0.0100 wide" in found["reading"]
    assert ("less is sent, and less comes through" in found["reading"]) == (cost == 0.985)


def test_where_less_is_better_the_right_side_is_the_better_one():
    """AUER: static-med less twist is expected above 0. TWIST costs more: ours to better; or less: a trade."""
    auer = F1 | {"metric": "auer", "left": "static-med", "right": "twist"}
    for cost, cause, bill in ((1.1, "our implementation", "+0.100"), (0.9, "the claim", "-0.100")):
        found = examine(auer, rows_of("static-med", 0.2), rows_of("twist", 0.2, cost), [])
        assert found["cause"] == cause and found["reach"] is None
        assert f"twist and static-med do not differ as claimed in auer, cost {bill}" in found["reading"]


def test_urgent_frames_are_read_by_their_own_mismatch():
    left, right = rows_of("twist", 0.1, urgent=0.6), rows_of("static-med", 0.2, urgent=0.4)
    found = [examine(F1 | {"metric": metric}, left, right, [])["tsmr"][0] for metric in ("f1_avg", "urgent_f1_avg")]
    assert found == pytest.approx([-0.0985, 0.2])


def test_f1_is_beside_what_the_static_modes_reach():
    """Car and VRU F1 are 2 r / (2 r + 20), density F1 half of it and of a class that is never said."""
    modes = rows_of("static-high", 0.1, right=90) + rows_of("static-low", 0.3, right=40)
    other = [row | {"receiver": "hold"} for row in rows_of("static-low", 0.3, right=10)]
    found = examine(F1, rows_of("twist", 0.1), rows_of("static-med", 0.2), modes + other)

    def f1(right):
        same = 2 * right / (2 * right + 20)
        return (same + same + same / 2) / 3

    assert found["reach"] == pytest.approx(f1(90) - f1(40))
    assert f"Static-Low and Static-High are only {found['reach']:.4f} apart" in found["reading"]
    assert examine(F1, rows_of("twist", 0.1), rows_of("static-med", 0.2), modes[:4])["reach"] is None
