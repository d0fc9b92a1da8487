# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode commands at the transmitting host: over the control link, or off the air."""

from __future__ import annotations

from collections import Counter

from tokenlink.hosts.host_radio import REVERSE
from tokenlink.hosts.simulated_air import ReverseAir
from tokenlink.link.feedback_bursts import Feedback, LossCounter, feedback_header, read_feedback
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, IqSamples, ModeCommand


class Commands:
    """Mode commands as they come over the control link or the reverse link, and the mode they make for each slot.

    Parameters
    ----------
    config : HostConfig
    table : ModeTable   or that of another system
    """

    def __init__(self, config, table):
        run = config.run
        policy = system_named(run.system).loop.policy(run.policy, run.control, table, run.artifacts)
        self._schedule = ModeSchedule(policy.fallback_mode, run.control.hold_slots)
        self._reverse = ReverseAir(run.channel, config.burst, run.seed, len(table.modes))
        self._over_air, self._n_modes = config.feedback_over == "air", len(table.modes)
        self._counts, self._losses = Counter(), LossCounter()

    @property
    def counts(self):
        return self._counts + Counter({f"reverse_{name}": n for name, n in self._reverse.counts.items()})

    def take(self, message, slot):
        """A message of the receiver while this slot is the next one."""
        if isinstance(message, IqSamples) and message.link == REVERSE and self._over_air:
            for feedback in self._reverse.receive(message.samples, slot):
                self._heard(feedback)
        elif isinstance(message, ModeCommand) and not self._over_air:
            if message.mode_id == NO_MODE:
                self._counts["no_command"] += 1
                self._schedule.begin(message.slot)
            else:
                self._note(message.slot, message.mode_id)
        else:
            self._counts["foreign_message"] += 1

    def take_from_air(self, command, slot):
        """A ModeCommand of the flowgraph's reverse link, its slot that of a header, while ``slot`` is the next one."""
        found = read_feedback(feedback_header(command.slot, command.mode_id, command.seq), slot, self._n_modes)
        if isinstance(found, Feedback):
            self._counts["reverse_commands"] += 1
            self._heard(found)
        else:
            self._counts[f"reverse_{found}"] += 1

    def _heard(self, feedback):
        self._counts["reverse_lost"] += self._losses.observe(feedback.number)
        self._note(feedback.slot, feedback.mode_id)

    def _note(self, slot, mode_id):
        if mode_id >= self._n_modes:
            self._counts["unknown_mode"] += 1
        else:
            self._counts[f"{self._schedule.command(slot, mode_id)}_commands"] += 1

    def decided(self, slot):
        """Whether waiting longer brings nothing."""
        return self._schedule.decided(slot)

    def mode_of(self, slot):
        """(mode_id, "commanded" | "held" | "fallback")."""
        return self._schedule.mode_of(slot)
