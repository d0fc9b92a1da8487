# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lyapunov controller over many slots without a radio: to choose V and mu, and to see what late feedback does."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from tokenlink.control.feedback_link import FeedbackConfig, FeedbackLink
from tokenlink.control.lyapunov import LyapunovConfig, PictureReport, best_modes, next_queue
from tokenlink.link.mode_schedule import ModeSchedule

V_GRID = (1.0, 10.0, 100.0, 1e3, 1e4)
STEP_SIZE_GRID = (1.0, 10.0, 100.0)
TAIL_SLOTS = 1000
_CHUNK_SLOTS = 4096


@dataclass(frozen=True, eq=False)
class Trace:
    """What a simulated run did, with a leading axis where several ran at once.

    Attributes
    ----------
    mode_id : int32 [..., n_slots]
    queue : float64 [..., n_slots + 1]            Z before each slot, and after the last
    bandwidth_ratio, accuracy : float64 [..., n_slots]   rho of each slot, and its Lambda at the slot's Es/N0
    """

    mode_id: np.ndarray
    queue: np.ndarray
    bandwidth_ratio: np.ndarray
    accuracy: np.ndarray

    def tail(self, slots=TAIL_SLOTS):
        """Mean rho and mean accuracy of the last slots: two floats, or arrays where several ran at once."""
        return self.bandwidth_ratio[..., -slots:].mean(axis=-1), self.accuracy[..., -slots:].mean(axis=-1)


def simulate(proxy, esn0_db, ratio_limit, v, step_size, queue=0.0):
    """Algorithm 2: each slot is decided with its own Es/N0, and sends what its mode is expected to cost.

    Parameters
    ----------
    proxy : ProxyTable
    esn0_db : float [n_slots]                       dB
    ratio_limit, v, step_size : float, or float [n_runs]   as of LyapunovConfig; arrays run side by side
    queue : float, or float [n_runs]                Z(0)

    Returns
    -------
    Trace   [n_slots], or [n_runs, n_slots]
    """
    esn0_db = np.asarray(esn0_db, float)
    ratio_limit, v, step_size, first = np.broadcast_arrays(ratio_limit, v, step_size, queue)
    ratio, shape = proxy.bandwidth_ratio[proxy.by_cost], (esn0_db.size, *v.shape)
    chosen, accuracy = np.empty(shape, np.int32), np.empty(shape)
    queue = np.zeros((esn0_db.size + 1, *v.shape))
    queue[0] = first
    for begin in range(0, esn0_db.size, _CHUNK_SLOTS):  # the accuracies of all slots at once would fill the memory
        known = proxy.accuracy_at(esn0_db[begin : begin + _CHUNK_SLOTS])[:, proxy.by_cost]
        for slot, expected in enumerate(known, begin):
            best = best_modes(expected, ratio, queue[slot][..., None], v[..., None])
            chosen[slot], accuracy[slot] = best, expected[best]
            queue[slot + 1] = next_queue(queue[slot], ratio[best], ratio_limit, step_size)
    return Trace(*(np.moveaxis(values, 0, -1) for values in
                   (proxy.by_cost[chosen].astype(np.int32), queue, ratio[chosen], accuracy)))  # fmt: skip


@dataclass(frozen=True)
class Tuned:
    """V and mu that were found, and where the queue was after the simulation."""

    config: LyapunovConfig
    queue: float


def tune(proxy, esn0_db, ratio_limit, v_grid=V_GRID, step_sizes=STEP_SIZE_GRID, tail_slots=TAIL_SLOTS):
    """V and mu for a limit, see `tune_each`: LyapunovConfig, or None where no pair keeps the limit."""
    (found,) = tune_each(proxy, esn0_db, (ratio_limit,), v_grid, step_sizes, tail_slots)
    return found and found.config


def tune_each(proxy, esn0_db, ratio_limits, v_grid=V_GRID, step_sizes=STEP_SIZE_GRID, tail_slots=TAIL_SLOTS):
    """V and mu for each limit: most accuracy over the last slots, of those that keep the limit there.

    Parameters
    ----------
    proxy : ProxyTable
    esn0_db : float [n_slots]   of a simulation, 1e5 slots in the paper
    ratio_limits : sequence of float   rho_th
    v_grid, step_sizes : tuple of float
    tail_slots : int            how many of the last slots count, >= 1

    Returns
    -------
    list of Tuned or None   None: no pair keeps the limit; of equal ones the first, V before mu
    """
    pairs = list(product(v_grid, step_sizes))
    v, step_size = np.tile(np.array(pairs, float).T, len(ratio_limits))
    limits = np.repeat(np.asarray(ratio_limits, float), len(pairs))
    trace = simulate(proxy, esn0_db, limits, v, step_size)
    ratio, accuracy = trace.tail(tail_slots)
    score = np.where(ratio <= limits, accuracy, -1.0).reshape(-1, len(pairs))
    ends = trace.queue[:, -1].reshape(score.shape)
    best = score.argmax(axis=1).tolist()
    return [None if each[at] < 0 else Tuned(LyapunovConfig(limit, *pairs[at]), float(end[at]))
            for limit, each, end, at in zip(ratio_limits, score, ends, best, strict=True)]  # fmt: skip


def simulate_loop(policy, esn0_db, feedback=None, seed=0, lost=None, sensitivity_db=None):
    """The closed loop: decisions come late or never, the transmitter holds its mode or falls back, pictures get lost.

    Parameters
    ----------
    policy : LyapunovPolicy
    esn0_db : float [n_slots]        dB; a slot's report tells it after the slot
    feedback : FeedbackConfig or None   delay and loss of the way back; None: one slot, no loss
    seed : int                       of the losses
    lost : bool [n_slots] or None    pictures of which nothing comes: there is no report, their accuracy is 0
    sensitivity_db : float [n_modes] or None   Es/N0 below which a picture's header is lost, and with it the picture

    Returns
    -------
    Trace   its queue is the controller's
    """
    esn0_db = np.asarray(esn0_db, float)
    lost = np.zeros(esn0_db.size, bool) if lost is None else np.array(lost)
    needs_db = [-np.inf] * policy.proxy.n_modes if sensitivity_db is None else list(sensitivity_db)
    ratio, state = policy.proxy.bandwidth_ratio, policy.initial_state()
    link = FeedbackLink(feedback or FeedbackConfig(), seed, state.mode_id)
    schedule = ModeSchedule(policy.fallback_mode, policy.config.hold_slots)
    chosen, queue = np.empty(esn0_db.size, np.int32), np.zeros(esn0_db.size + 1)
    for slot, snr in enumerate(esn0_db.tolist()):
        command = link.command(slot)
        if command is not None:
            schedule.command(slot, command)
        chosen[slot], _ = schedule.mode_of(slot)
        lost[slot] |= snr < needs_db[chosen[slot]]
        report = None if lost[slot] else PictureReport(slot, snr, float(ratio[chosen[slot]]))
        state, mode_id = policy.step(state, report)
        link.decide(slot, mode_id)
        queue[slot + 1] = state.queue
    accuracy = np.where(lost, 0.0, policy.proxy.accuracy_at(esn0_db)[np.arange(esn0_db.size), chosen])
    return Trace(chosen, queue, ratio[chosen], accuracy)
