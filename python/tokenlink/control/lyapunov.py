# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of the adaptive system: drift plus penalty, with a virtual queue that holds the mean rho to its limit.

Paper "Adaptive semantic token communication", section V, equations (10) to (13) and algorithm 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokenlink.control.policy_base import without_report
from tokenlink.control.proxy_table import ProxyTable


@dataclass(frozen=True)
class LyapunovConfig:
    """Settings of the controller.

    Parameters
    ----------
    ratio_limit : float   rho_th, the most that the mean bandwidth ratio may be, in (0, 1]
    v : float             V, what accuracy weighs against the queue, > 0
    step_size : float     mu, how fast the queue moves, > 0
    hold_slots : int      slots without a report during which the last mode is held, >= 0

    Raises
    ------
    ValueError   a value outside its range
    """

    ratio_limit: float
    v: float = 100.0
    step_size: float = 10.0
    hold_slots: int = 5

    def __post_init__(self):
        if not 0 < self.ratio_limit <= 1:
            raise ValueError(f"ratio_limit is {self.ratio_limit}, expected more than 0, at most 1")
        for name in ("v", "step_size"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, expected a finite number > 0")
        if self.hold_slots < 0 or self.hold_slots != int(self.hold_slots):
            raise ValueError(f"hold_slots is {self.hold_slots}, expected a whole number >= 0")


@dataclass(frozen=True)
class PictureReport:
    """What comes back of one slot.

    Parameters
    ----------
    slot : int                         the slot reported on
    esn0_db : float                    received Es/N0, |h|^2 included, dB, finite
    bandwidth_ratio : float or None    rho of the picture that was sent; None: none was

    Raises
    ------
    ValueError   a value outside its range
    """

    slot: int
    esn0_db: float
    bandwidth_ratio: float | None = None

    def __post_init__(self):
        if not math.isfinite(self.esn0_db):
            raise ValueError(f"esn0_db is {self.esn0_db}, expected a finite number of dB")
        ratio = self.bandwidth_ratio
        if ratio is not None and not (math.isfinite(ratio) and ratio >= 0):
            raise ValueError(f"bandwidth_ratio is {ratio}, expected a finite number >= 0")


@dataclass(frozen=True)
class LyapunovState:
    """What the controller keeps between slots: the mode in force, the queue Z, and slots since the last report."""

    mode_id: int
    queue: float = 0.0
    missed: int = 0


def next_queue(queue, bandwidth_ratio, ratio_limit, step_size):
    """Z(t + 1) = max(0, Z(t) + mu (rho - rho_th)), eq. (11); numbers or arrays that broadcast."""
    moved = queue + step_size * (bandwidth_ratio - ratio_limit)
    return max(0.0, moved) if isinstance(moved, float) else np.maximum(0.0, moved)


def best_modes(accuracy, bandwidth_ratio, queue, v):
    """Where -V Lambda + Z rho is least, eq. (13), by exhaustive search; of equal ones the first.

    Parameters
    ----------
    accuracy : float [..., n_modes]     expected, at the Es/N0 of the slot
    bandwidth_ratio : float [n_modes]   of the same modes
    queue, v : float, or float [..., 1]

    Returns
    -------
    int64 [...]   positions among the modes
    """
    return (queue * bandwidth_ratio - v * accuracy).argmin(axis=-1)


class LyapunovPolicy:
    """Most accuracy in the long run for a mean bandwidth ratio of at most rho_th, without knowing the channel's law.

    Each report first moves the queue by what was sent, then decides. While reports are lost the queue counts what the
    mode in force is expected to cost; the last mode is held for ``hold_slots`` slots, then the safe one takes over.

    Parameters
    ----------
    config : LyapunovConfig
    proxy : ProxyTable

    Notes
    -----
    Of modes that are equally good the cheapest is taken. The safe mode, which is also that of the first slot, keeps the
    limit by itself: the one of highest accuracy, averaged over the table's Es/N0, with rho <= rho_th; where there is
    none, the cheapest.
    """

    def __init__(self, config: LyapunovConfig, proxy: ProxyTable):
        self.config, self.proxy = config, proxy
        self._ratio = proxy.bandwidth_ratio[proxy.by_cost]
        affordable = max(1, int((self._ratio <= config.ratio_limit).sum()))
        mean = proxy.accuracy[proxy.by_cost[:affordable]].mean(axis=1)
        self.fallback_mode = int(proxy.by_cost[np.argmax(mean)])

    def initial_state(self):
        """State before the first slot, its queue empty; its mode is the first slot's mode."""
        return LyapunovState(self.fallback_mode)

    def decide(self, queue, esn0_db):
        """mode_id for a queue Z and the Es/N0 of a slot, dB."""
        accuracy = self.proxy.accuracy_at(esn0_db)[self.proxy.by_cost]
        return int(self.proxy.by_cost[best_modes(accuracy, self._ratio, queue, self.config.v)])

    def step(self, state, report):
        """Mode of the next slot.

        Parameters
        ----------
        state : LyapunovState            from ``initial_state`` or the step before
        report : PictureReport or None   on the slot before; None when feedback was lost

        Returns
        -------
        (LyapunovState, int)   new state and mode_id
        """
        if report is None:
            queue = self._moved(state.queue, self.proxy.bandwidth_ratio[state.mode_id])
            state = without_report(state, self.config.hold_slots, self.fallback_mode, queue=queue)
            return state, state.mode_id
        sent = report.bandwidth_ratio
        queue = state.queue if sent is None else self._moved(state.queue, sent)
        mode_id = self.decide(queue, report.esn0_db)
        return LyapunovState(mode_id, queue), mode_id

    def _moved(self, queue, bandwidth_ratio):
        return float(next_queue(queue, bandwidth_ratio, self.config.ratio_limit, self.config.step_size))
