# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lyapunov controller against brute force, a linear programme, and the recursion written out by hand."""

import math

import numpy as np
import pytest
from scipy.optimize import linprog

from tokenlink.control import FeedbackConfig, LyapunovConfig, LyapunovPolicy, LyapunovState, PictureReport, ProxyTable
from tokenlink.control.lyapunov_simulation import simulate, simulate_loop, tune

ALPHAS, RATIOS = (0.1, 0.3, 0.5, 0.7, 1.0), (0.005, 0.1, 0.15, 0.25, 0.5)
SYMBOLS = (1, 19, 29, 48, 96)
SNR_DB = np.arange(-20.0, 31.0, 5.0)
N_SLOTS = 100_000


def closed_form():
    """Accuracy rises with kept tokens, with symbols a token, and with the SNR; rho is 64 alpha o / 49,152."""
    accuracy = [
        [0.1 + 0.8 * (1 - math.exp(-6 * alpha)) / (1 + (4 / o) * 10 ** (-snr / 10)) for snr in SNR_DB]
        for alpha in ALPHAS
        for o in SYMBOLS
    ]
    ratio = [64 * alpha * o / 49152 for alpha in ALPHAS for o in SYMBOLS]
    return ProxyTable(ALPHAS, RATIOS, SNR_DB, np.array(accuracy), np.array(ratio))


def scenario(name, seed=11, n_slots=N_SLOTS):
    """The paper's: fixed at a number of dB, or N(mean, 2.5) with 2.5 dB of standard deviation."""
    if name.startswith("N"):
        return np.random.default_rng(seed).normal(float(name[2:-1]), 2.5, n_slots)
    return np.full(n_slots, float(name))


PROXY = closed_form()


def brute_force(table, v, queue, esn0_db):
    """Eq. (13) by trying every pair, the accuracy interpolated by hand; the cheapest of the best."""
    best = None
    for mode in range(len(table.bandwidth_ratio)):
        snr = min(max(esn0_db, table.esn0_db[0]), table.esn0_db[-1])
        right = next(i for i in range(1, len(table.esn0_db)) if snr <= table.esn0_db[i])
        x0, x1 = table.esn0_db[right - 1], table.esn0_db[right]
        y0, y1 = table.accuracy[mode][right - 1], table.accuracy[mode][right]
        expected = y0 + (y1 - y0) * (snr - x0) / (x1 - x0)
        key = (-v * expected + queue * table.bandwidth_ratio[mode], table.bandwidth_ratio[mode])
        if best is None or key < best[0]:
            best = key, mode
    return best[1]


def test_the_search_finds_what_brute_force_finds():
    """300 random tables and states, seed 5; no ties among real numbers."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        n_alphas, n_ratios = rng.integers(1, 12), rng.integers(1, 6)
        shape = n_alphas * n_ratios
        snr = np.sort(rng.uniform(-20, 30, rng.integers(2, 12)))
        alphas, ratios = (tuple(rng.uniform(0.01, 1, size)) for size in (n_alphas, n_ratios))
        table = ProxyTable(alphas, ratios, snr, rng.uniform(0, 1, (shape, snr.size)), rng.uniform(1e-4, 0.2, shape))
        v, queue, esn0_db = 10 ** rng.uniform(0, 4), rng.uniform(0, 1) * 10 ** rng.uniform(-1, 5), rng.uniform(-30, 40)
        policy = LyapunovPolicy(LyapunovConfig(0.01, v), table)
        assert policy.decide(queue, esn0_db) == brute_force(table, v, queue, esn0_db)


def test_equal_modes_go_to_the_cheapest():
    table = ProxyTable((0.5, 1.0), (0.1, 0.5), [0.0], np.full((4, 1), 0.7), [0.04, 0.02, 0.01, 0.03])
    assert LyapunovPolicy(LyapunovConfig(1.0), table).decide(0.0, 10.0) == 2


def test_the_queue_is_eq_11_written_out():
    """By hand: mu = 10, rho_th = 0.02; 0.05 adds 0.3, then 0.001 takes 0.19 twice and the queue ends at zero."""
    policy = LyapunovPolicy(LyapunovConfig(0.02, 1.0, 10.0), PROXY)
    state = policy.initial_state()
    assert state.queue == 0.0
    for slot, (sent, expected) in enumerate([(0.05, 0.3), (0.001, 0.11), (0.001, 0.0), (None, 0.0), (0.021, 0.01)]):
        state, mode_id = policy.step(state, PictureReport(slot, 10.0, sent))
        assert state.queue == pytest.approx(expected, abs=1e-12)
        assert mode_id == state.mode_id == brute_force(PROXY, 1.0, expected, 10.0)


def test_step_after_step_is_the_simulation():
    """2,000 slots, seed 11: algorithm 2 slot by slot, the report of a slot's own SNR and of what was sent before."""
    policy, esn0_db = LyapunovPolicy(LyapunovConfig(0.01, 100.0, 10.0), PROXY), scenario("N(10)", n_slots=2000)
    trace = simulate(PROXY, esn0_db, 0.01, 100.0, 10.0)
    state, sent = policy.initial_state(), None
    for slot, snr in enumerate(esn0_db):
        state, mode_id = policy.step(state, PictureReport(slot, snr, sent))
        assert (mode_id, state.queue) == (trace.mode_id[slot], trace.queue[slot])
        sent = PROXY.bandwidth_ratio[mode_id]


def test_many_runs_at_once_are_single_runs():
    esn0_db = scenario("N(0)", n_slots=5000)
    v, step_size = np.array([1.0, 1e3, 1e4]), np.array([100.0, 1.0, 10.0])
    together = simulate(PROXY, esn0_db, 0.02, v, step_size)
    for run in range(3):
        alone = simulate(PROXY, esn0_db, 0.02, v[run], step_size[run])
        np.testing.assert_array_equal(together.mode_id[run], alone.mode_id)
        np.testing.assert_array_equal(together.queue[run], alone.queue)
    assert together != simulate(PROXY, esn0_db[:1], 0.02, v, step_size), "arrays are not compared: each is itself"


@pytest.mark.parametrize("name", ["10", "20", "N(20)", "N(10)", "N(0)"])
@pytest.mark.parametrize("limit", [0.0025, 0.02, 0.1])
def test_the_constraint_holds_and_the_queue_is_mean_rate_stable(name, limit):
    """1e5 slots, seed 11, V = 10, mu = 10.

    Mean rate stability: Z stays below a bound that does not grow with T. Once Z (rho - rho') > V for the next cheaper
    mode within the limit, no mode above the limit is chosen, and one slot adds at most mu rho. The sum of (11) gives
    mean rho <= rho_th + Z(T) / (mu T) on every path.
    """
    trace = simulate(PROXY, scenario(name), limit, 10.0, 10.0)
    ratio = np.sort(PROXY.bandwidth_ratio)
    above, below = ratio[ratio > limit].min(), ratio[ratio <= limit].max()
    assert trace.queue.max() <= 10.0 / (above - below) + 10.0 * ratio.max()
    assert trace.queue[-1] / N_SLOTS <= trace.queue[10_000] / 10_000 + 1e-12
    assert trace.bandwidth_ratio.mean() <= limit + trace.queue[-1] / (10.0 * N_SLOTS) + 1e-12
    assert trace.tail()[0] <= limit * 1.05


def test_a_limit_below_the_cheapest_mode_is_seen_to_fail():
    """The check above can fail: the queue then grows in every slot, and no V and mu are found."""
    limit = PROXY.bandwidth_ratio.min() / 2
    trace = simulate(PROXY, scenario("10"), limit, 1e-6, 10.0)
    assert trace.queue[-1] - trace.queue[1] == pytest.approx(10.0 * limit * (N_SLOTS - 1))
    assert (np.diff(trace.queue) > 0).all()
    assert tune(PROXY, scenario("10", n_slots=3000), limit) is None


@pytest.mark.parametrize("limit", [0.005, 0.02, 0.05])
def test_accuracy_comes_near_the_optimum_of_all_randomised_policies(limit):
    """Problem (10) over three SNRs is a linear programme; drift plus penalty loses at most mu B / V, plus the start.

    B = max (rho - rho_th)^2 / 2. 1e5 slots in which the SNRs alternate, so that their shares are exact.
    """
    v, step_size, states = 1e3, 10.0, np.array([-5.0, 8.0, 21.0])
    trace = simulate(PROXY, np.resize(states, 99_999), limit, v, step_size)
    accuracy, ratio = PROXY.accuracy_at(states), PROXY.bandwidth_ratio
    share = np.kron(np.eye(3), np.ones(ratio.size))
    best = linprog(-accuracy.reshape(-1) / 3, A_ub=[np.tile(ratio, 3) / 3], b_ub=[limit], A_eq=share, b_eq=np.ones(3),
                   method="highs")
    assert best.success
    gap = step_size * np.max((ratio - limit) ** 2) / 2 / v
    # what the path may spend beyond the limit while the queue fills, at the price the limit has
    overspent = trace.queue[-1] / (step_size * trace.queue.shape[-1])
    price = -best.ineqlin.marginals[0]
    assert -best.fun - gap - 3 / 99_999 <= trace.accuracy.mean() <= -best.fun + price * overspent + 1e-9


def test_v_and_mu_are_those_of_the_best_tail():
    """8,000 slots, the last 500 count: the choice against each pair run alone."""
    esn0_db, found = scenario("N(10)", n_slots=8000), []
    for v in (1.0, 10.0, 100.0, 1e3, 1e4):
        for mu in (1.0, 10.0, 100.0):
            trace = simulate(PROXY, esn0_db, 0.05, v, mu)
            if trace.bandwidth_ratio[-500:].mean() <= 0.05:
                found.append((trace.accuracy[-500:].mean(), v, mu))
    assert 1 < len(found) < 15
    best = max(found, key=lambda row: row[0])
    config = tune(PROXY, esn0_db, 0.05, tail_slots=500)
    assert (config.v, config.step_size, config.ratio_limit) == (*best[1:], 0.05)


@pytest.mark.parametrize(("delay", "loss", "picture_loss"), [(1, 0.0, 0.0), (3, 0.2, 0.1), (8, 0.5, 0.3)])
def test_late_and_lost_reports_keep_the_constraint(delay, loss, picture_loss):
    """20,000 slots, seed 11: the queue counts what was sent, whoever decided it."""
    policy = LyapunovPolicy(LyapunovConfig(0.02, 10.0, 10.0), PROXY)
    lost = np.random.default_rng(3).random(20_000) < picture_loss
    esn0_db = scenario("N(10)", n_slots=20_000)
    trace = simulate_loop(policy, esn0_db, FeedbackConfig(loss, delay_slots=delay), 7, lost)
    assert trace.bandwidth_ratio.mean() <= 0.02 * 1.02
    assert trace.queue[-1] / 20_000 < 0.01 * policy.config.v
    assert len(set(trace.mode_id)) > 2
    assert (trace.accuracy[lost] == 0).all()


def test_pictures_whose_header_is_lost_have_no_report():
    """Blocks of 50 slots at 10 and at 1 dB; modes of more than 29 symbols a token need 0 dB, the others 5. In a bad
    block the first pair that is lost is held, then the safe one is sent until the channel is good again."""
    needs_db = np.tile([5.0, 5.0, 5.0, 0.0, 0.0], len(ALPHAS))
    policy = LyapunovPolicy(LyapunovConfig(0.02, 10.0, 10.0, hold_slots=3), PROXY)
    esn0_db = np.tile(np.repeat([10.0, 1.0], 50), 4)
    trace = simulate_loop(policy, esn0_db, sensitivity_db=needs_db)
    lost = esn0_db < needs_db[trace.mode_id]
    assert needs_db[policy.fallback_mode] == 5.0 and 0 < lost.sum() <= 200 and not lost[esn0_db == 10].any()
    np.testing.assert_array_equal(trace.accuracy == 0, lost)
    first = int(np.argmax(lost))
    assert (trace.mode_id[first + 4 : 100] == policy.fallback_mode).all()
    assert len(set(trace.mode_id[100:150])) > 1, "reports come again"
    assert trace.bandwidth_ratio.mean() <= 0.02 + trace.queue[-1] / (10 * 400) + 1e-12


def test_feedback_without_delay_of_a_still_channel_is_the_simulation():
    """On a fixed SNR the report of the slot before says all: from the second slot on the loop is algorithm 2."""
    policy = LyapunovPolicy(LyapunovConfig(0.005, 100.0, 10.0), PROXY)
    loop = simulate_loop(policy, scenario("10", n_slots=3000))
    first = loop.mode_id[0]
    state, expected = LyapunovState(first, policy.step(LyapunovState(first), PictureReport(
        0, 10.0, PROXY.bandwidth_ratio[first]))[0].queue), [first]  # fmt: skip
    for _ in range(2999):
        mode_id = brute_force(PROXY, 100.0, state.queue, 10.0)
        expected.append(mode_id)
        queue = max(0.0, state.queue + 10.0 * (PROXY.bandwidth_ratio[mode_id] - 0.005))
        state = LyapunovState(mode_id, queue)
    np.testing.assert_array_equal(loop.mode_id, expected)


def test_lost_reports_hold_the_mode_then_fall_back_to_one_within_the_limit():
    policy = LyapunovPolicy(LyapunovConfig(0.002, 1e4, 10.0, hold_slots=2), PROXY)
    state, held = policy.step(policy.initial_state(), PictureReport(0, 20.0, 0.0))
    modes, queues = [], []
    for _ in range(4):
        state, mode_id = policy.step(state, None)
        modes.append(mode_id)
        queues.append(state.queue)
    safe = policy.fallback_mode
    assert modes == [held, held, safe, safe] and held != safe
    cost, safe_cost = PROXY.bandwidth_ratio[[held, safe]]
    assert queues == pytest.approx(np.maximum(0, np.cumsum([10 * (c - 0.002) for c in (cost, cost, cost, safe_cost)])))
    within = [m for m in range(25) if PROXY.bandwidth_ratio[m] <= 0.002]
    assert safe == max(within, key=lambda m: PROXY.accuracy[m].mean())


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LyapunovConfig(0.0), "ratio_limit is 0.0, expected more than 0"),
        (lambda: LyapunovConfig(math.nan), "ratio_limit is nan"),
        (lambda: LyapunovConfig(0.1, v=0), "v is 0, expected a finite number > 0"),
        (lambda: LyapunovConfig(0.1, step_size=math.inf), "step_size is inf"),
        (lambda: LyapunovConfig(0.1, hold_slots=-1), "hold_slots is -1, expected a whole number >= 0"),
        (lambda: PictureReport(0, math.nan), "esn0_db is nan, expected a finite number of dB"),
        (lambda: PictureReport(0, 1.0, -0.1), "bandwidth_ratio is -0.1, expected a finite number >= 0"),
        (lambda: PictureReport(0, 1.0, math.nan), "bandwidth_ratio is nan"),
    ],
)
def test_values_out_of_range_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()
