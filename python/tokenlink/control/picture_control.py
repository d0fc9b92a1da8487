# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the adaptive system's policies as a YAML file, and the policy that never changes its pair."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tokenlink.control.lyapunov import LyapunovConfig, LyapunovState, next_queue
from tokenlink.control.settings_file import load_settings
from tokenlink.files.settings import SettingError


class PictureControlError(SettingError):
    """A file of settings that cannot be used; the message names the field, the value and the legal range."""

    what = "controller"


@dataclass(frozen=True)
class PictureControl(LyapunovConfig):
    """Settings of all policies of the adaptive system: those of the Lyapunov controller, and the pair of "fixed".

    Parameters
    ----------
    ratio_limit, v, step_size, hold_slots   as of LyapunovConfig
    alpha, ratio : float                    token budget and compression ratio of the policy fixed; the mode table has
                                            the legal ones
    """

    ratio_limit: float = 0.02
    v: float = 10.0
    step_size: float = 10.0
    alpha: float = 0.5
    ratio: float = 0.1


class FixedPair:
    """The same pair in every slot, whatever the feedback; the queue tells what a limit would say of it.

    Parameters
    ----------
    config : LyapunovConfig
    mode_id : int
    """

    def __init__(self, config: LyapunovConfig, mode_id: int):
        self.config, self.fallback_mode = config, mode_id

    def initial_state(self):
        """State before the first slot; its mode is the fixed one."""
        return LyapunovState(self.fallback_mode)

    def step(self, state, report):
        """The fixed mode; arguments and result as of LyapunovPolicy."""
        if report is None:
            return replace(state, missed=state.missed + 1), state.mode_id
        queue, sent = state.queue, report.bandwidth_ratio
        if sent is not None:
            queue = float(next_queue(queue, sent, self.config.ratio_limit, self.config.step_size))
        return LyapunovState(state.mode_id, queue), state.mode_id


def load_picture_control(path=None):
    """PictureControl of a YAML file with ``schema`` and ``control``; without one, the defaults.

    Raises
    ------
    PictureControlError   unreadable file, unknown field, value out of range
    """
    return load_settings(path, PictureControl, PictureControlError)
