# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of TokCode: modulation and code of packets by the Es/N0 that came back, or always the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tokenlink.control.policy_base import ControlState, without_report
from tokenlink.control.settings_file import load_settings
from tokenlink.files.settings import SettingError
from tokenlink.link.tokcode_modes import TokcodeTable


class PacketControlError(SettingError):
    """A file of settings that cannot be used; the message names the field, the value and the legal range."""

    what = "controller"


@dataclass(frozen=True)
class PacketControl:
    """Settings of TokCode's policies.

    Parameters
    ----------
    mode : int         mode_id of the policy fixed, and of the first slot of by-snr; the mode table has the legal ones
    hold_slots : int   slots without feedback that keep their mode, >= 0; then the table's first mode takes over
    margin_db : float  by-snr: Es/N0 that is kept in hand over what the table asks for, dB

    Raises
    ------
    ValueError   a value outside its range
    """

    mode: int = 0
    hold_slots: int = 5
    margin_db: float = 0.0

    def __post_init__(self):
        for name in ("mode", "hold_slots"):
            value = getattr(self, name)
            if value != int(value) or value < 0:
                raise ValueError(f"{name} is {value}, expected a whole number >= 0")
        if not math.isfinite(self.margin_db):
            raise ValueError(f"margin_db is {self.margin_db}, expected a finite number")


@dataclass(frozen=True)
class PacketReport:
    """What came back of a sequence: ``slot``, and ``esn0_db``, mean of its packets as received, dB."""

    slot: int
    esn0_db: float


class FixedMode:
    """The same mode for every sequence, whatever the feedback.

    Parameters
    ----------
    config : PacketControl
    """

    def __init__(self, config: PacketControl):
        self.config, self.fallback_mode = config, config.mode

    def initial_state(self) -> ControlState:
        """State before the first slot."""
        return ControlState(self.config.mode)

    def step(self, state: ControlState, report: PacketReport | None) -> tuple[ControlState, int]:
        """The fixed mode; arguments and result as of `BySnr`."""
        return replace(state, missed=0 if report else state.missed + 1), state.mode_id


class BySnr:
    """The last mode of the table whose Es/N0 was there, while feedback comes; the first one is the most robust.

    Parameters
    ----------
    config : PacketControl
    table : TokcodeTable
    """

    fallback_mode = 0

    def __init__(self, config: PacketControl, table: TokcodeTable):
        self.config, self._modes = config, table.modes

    def initial_state(self) -> ControlState:
        """State before the first slot."""
        return ControlState(self.config.mode)

    def step(self, state: ControlState, report: PacketReport | None) -> tuple[ControlState, int]:
        """Mode of the next slot.

        Parameters
        ----------
        state : ControlState            from ``initial_state`` or the step before
        report : PacketReport or None   on the slot before; None: nothing came of it

        Returns
        -------
        (ControlState, int)   new state and mode_id
        """
        if report is None:
            state = without_report(state, self.config.hold_slots, self.fallback_mode)
            return state, state.mode_id
        there = report.esn0_db - self.config.margin_db
        fitting = [mode.mode_id for mode in self._modes if mode.from_esn0_db <= there]
        state = ControlState(fitting[-1] if fitting else self.fallback_mode)
        return state, state.mode_id


def load_packet_control(path=None) -> PacketControl:
    """PacketControl of a YAML file with ``schema`` and ``control``; without one, the defaults.

    Raises
    ------
    PacketControlError   unreadable file, unknown field, value out of range
    """
    return load_settings(path, PacketControl, PacketControlError)


def packet_policy(name: str, config: PacketControl, table: TokcodeTable):
    """The policy "by-snr" or "fixed"."""
    return FixedMode(config) if name == "fixed" else BySnr(config, table)
