# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop in process: what the nodes do slot by slot, for many runs over the same sequence side by side.

Radio outcomes come from `tokenlink.study.outcomes`. What follows is causal and goes slot by slot: gate, completion,
head, policy, feedback. Runs that come from the same state and get the same frame go to the same state, so every such
step is computed once, whatever the number of policies that take it. With a prior, what a run believes is part of that
state: see `tokenlink.study.foretold`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from tokenlink.control import FeedbackConfig, FeedbackLink, observe
from tokenlink.link.gating import gate
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.link.prior_schedule import OFF
from tokenlink.models.inference import NO_TOKEN, without_model
from tokenlink.study.foretold import GENIE, UNKNOWN, Beliefs, Reception, StepKey, ToldOutcomes, check_prior
from tokenlink.study.outcomes import Outcomes
from tokenlink.study.receivers import RECEIVERS

NOTHING = -1  # the state before the first frame


@dataclass
class Run:
    """One run of the loop.

    Parameters
    ----------
    channel_index : int   which channel of the simulator
    policy : object       see `tokenlink.control.make_policy`
    receiver : str        one of RECEIVERS
    feedback : FeedbackConfig
    hold_slots : int      how long the transmitter keeps a mode without a command
    prior : str           one of `tokenlink.study.foretold.PRIORS`; ValueError for another
    """

    channel_index: int
    policy: object
    receiver: str = "full"
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    hold_slots: int = 5
    prior: str = OFF

    def __post_init__(self):
        check_prior(self.prior, self.receiver, getattr(self.policy, "needs_outlook", False))


@dataclass
class Trace:
    """What happened in a run; every array [n_frames].

    Attributes
    ----------
    mode_ids : int64
    state_ids : int64          index of the state in `Simulator.states`
    n_erased, n_accepted_wrong, n_mismatched : int64   tokens
    predicted : int64 [n_frames, 3]   car, VRU, density class
    risk : float64             of the decision after the slot; NaN for policies that know none
    drift, quality : float64   d and gamma of the report on the slot
    receptions : list of Reception   of a run with a prior; else empty
    """

    mode_ids: np.ndarray
    state_ids: np.ndarray
    n_erased: np.ndarray
    n_accepted_wrong: np.ndarray
    n_mismatched: np.ndarray
    predicted: np.ndarray
    risk: np.ndarray
    drift: np.ndarray
    quality: np.ndarray
    receptions: list = field(default_factory=list)

    @classmethod
    def empty(cls, n_frames):
        """A trace to be filled."""
        whole = [np.zeros(n_frames, np.int64) for _ in range(5)]
        real = [np.full(n_frames, np.nan) for _ in range(3)]
        return cls(*whole, np.zeros((n_frames, 3), np.int64), *real)


@dataclass(frozen=True)
class _Step:
    """Where a frame leads from a state: the new state, the report on it, and counts of tokens."""

    state_id: int
    report: object
    n_erased: int
    n_accepted_wrong: int
    belief: int = UNKNOWN
    reception: Reception | None = None


class Simulator:
    """All runs over one sequence and the same channels.

    Parameters
    ----------
    token_ids : integer [n_frames, n_tokens]   tokens of the camera
    channels : list of Channel                 one a realisation; its seed is also that of feedback losses
    tables : dict   ModeTable by protection, see `tokenlink.study.receivers.Receiver`
    models : BatchModels
    urgent : bool [n_channels, n_frames] or None   slots of priority 1

    Attributes
    ----------
    states : list of int32 [n_tokens]   every twin state that has occurred, by its state_id
    """

    def __init__(self, token_ids, channels, tables, models, urgent=None):
        self.token_ids = np.asarray(token_ids, np.int32)
        self.channels, self.tables, self.models = channels, tables, models
        self.urgent = np.zeros((len(channels), len(self.token_ids)), bool) if urgent is None else np.asarray(urgent)
        self.states = []
        self._state_numbers, self._readings, self._steps, self._outcomes = {}, {}, {}, {}
        self._beliefs = Beliefs(self.token_ids, lambda beliefs: models.predict(beliefs))

    def outcomes(self, protection, demapping, channel_index):
        """Outcomes of one of the channels; kept."""
        key = (protection, demapping, channel_index)
        if key not in self._outcomes:
            channel = self.channels[channel_index]
            self._outcomes[key] = Outcomes(self.token_ids, channel, self.tables[protection], demapping)
        return self._outcomes[key]

    def outcomes_of(self, run):
        """Outcomes that a run sees, without a prior."""
        receiver = RECEIVERS[run.receiver]
        return self.outcomes(receiver.protection, receiver.demapping, run.channel_index)

    def told_outcomes(self, run, trace):
        """Outcomes by which a run is counted."""
        outcomes = self.outcomes_of(run)
        return ToldOutcomes(outcomes, trace.receptions) if trace.receptions else outcomes

    def run(self, runs, on_slot=lambda slot: None):
        """Let runs go from the first frame to the last.

        Parameters
        ----------
        runs : list of Run
        on_slot : callable   told each slot that is through

        Returns
        -------
        list of Trace
        """
        live = [_Live(run, self.channels[run.channel_index].seed, len(self.token_ids)) for run in runs]
        for slot in range(len(self.token_ids)):
            wanted = [self._wanted(one, slot) for one in live]
            self._take_steps(slot, wanted)
            steps = [self._steps[key] for key in wanted]
            self._read({step.state_id for step in steps})
            outlooks = self._outlooks(slot, live, steps)
            for one, step, outlook in zip(live, steps, outlooks, strict=True):
                one.take(slot, step, self._readings[step.state_id], outlook)
            on_slot(slot)
        for one in live:
            states = np.stack([self.states[i] for i in one.trace.state_ids])
            one.trace.n_mismatched[:] = (states != self.token_ids).sum(axis=1)
        return [one.trace for one in live]

    def states_of(self, trace):
        """States of a run, int32 [n_frames, n_tokens]; NO_TOKEN where a position is empty."""
        return np.stack([self.states[i] for i in trace.state_ids])

    def received(self, run, slot, mode_id):
        """What a run's receiver has of a slot in a mode: tokens int32, erased bool, confidence float32, [n_tokens]."""
        receiver = RECEIVERS[run.receiver]
        token_ids, confidence = self.outcomes_of(run).get(slot, mode_id)
        if not receiver.gating:
            return token_ids, np.zeros(len(token_ids), bool), confidence
        table = self.tables[receiver.protection]
        return token_ids, gate(confidence, table.token_thresholds(table.mode(mode_id))), confidence

    def _wanted(self, one, slot):
        """Key of the step a run takes in a slot."""
        mode_id = one.trace.mode_ids[slot] = one.mode_of(slot)
        run = one.run
        belief = self._beliefs.of_genie(slot) if run.prior == GENIE else one.belief
        return StepKey(slot, int(one.state_id), run.receiver, run.channel_index, int(mode_id), run.prior, belief)

    def _outlooks(self, slot, live, steps):
        """Of each run whose policy asks for it, what its twin expects of the next slot; None of the others."""
        beliefs = [
            None if not one.foresees else self._beliefs.of_genie(slot + 1) if one.run.prior == GENIE else step.belief
            for one, step in zip(live, steps, strict=True)
        ]
        self._beliefs.foretell([each for each in beliefs if each not in (None, UNKNOWN)])
        tables = [self.tables[RECEIVERS[one.run.receiver].protection] for one in live]
        return [None if each is None else self._beliefs.outlook(each, table)
                for each, table in zip(beliefs, tables, strict=True)]

    def _take_steps(self, slot, wanted):
        """Compute the steps that are not known yet; those that need a model together."""
        new = list(dict.fromkeys(key for key in wanted if key not in self._steps))
        self._beliefs.foretell([key.belief for key in new if key.is_told])
        received, holes = {}, []
        for key in new:
            if key.source not in received:
                received[key.source] = self._receive(key)
            frame, completion = received[key.source], RECEIVERS[key.receiver].completion
            if frame.is_state:
                self._keep(key, frame.token_ids, frame)
            elif completion == "model":
                holes.append(key)
            else:
                previous = None if key.state_id == NOTHING else self.states[key.state_id]
                self._keep(key, without_model(completion, frame.token_ids, frame.erased, previous), frame)
        if holes:
            frames = [received[key.source] for key in holes]
            inputs = (np.stack(part) for part in zip(*map(_told, holes, frames), strict=True))
            filled = self.models.complete(*inputs, np.stack([self._before(key.state_id) for key in holes]))
            for key, state, frame in zip(holes, filled, frames, strict=True):
                self._keep(key, np.where(frame.erased, state, frame.token_ids), frame)

    def _receive(self, key):
        """Reception of a frame."""
        run = Run(key.channel_index, None, key.receiver)
        if not key.is_told:
            return Reception(*self.received(run, key.slot, key.mode_id))
        table = self.tables[RECEIVERS[key.receiver].protection]
        llr = self.outcomes_of(run).llr(key.slot, key.mode_id)
        return self._beliefs.receive(key.belief, key.slot, llr, table.mode(key.mode_id), table, key.prior)

    def _before(self, state_id):
        return np.full(self.token_ids.shape[1], NO_TOKEN, np.int32) if state_id == NOTHING else self.states[state_id]

    def _keep(self, key, state, frame):
        state = np.asarray(state, np.int32)
        number = self._state_numbers.setdefault(state.tobytes(), len(self.states))
        if number == len(self.states):
            self.states.append(state)
        previous = None if key.state_id == NOTHING else self.states[key.state_id]
        esn0_db = self.outcomes_of(Run(key.channel_index, None, key.receiver)).states[key.slot].received_esn0_db
        urgent = int(self.urgent[key.channel_index, key.slot])
        report = observe(key.slot, state, previous, frame.erased, esn0_db, urgent)
        wrong = ~frame.erased & (frame.token_ids != self.token_ids[key.slot])
        told = () if key.prior == OFF else (self._beliefs.after(key.belief, frame, state), frame)
        self._steps[key] = _Step(number, report, int(frame.erased.sum()), int(wrong.sum()), *told)

    def _read(self, state_ids):
        new = sorted(state_ids - self._readings.keys())
        if new:
            self._readings.update(zip(new, self.models.read(np.stack([self.states[i] for i in new])), strict=True))


def _told(key, frame):
    """What completion is told of a frame; a confidence of 0 says that nothing is known of an erased token."""
    token_ids, erased, confidence = frame.told
    blind = not RECEIVERS[key.receiver].sees_doubted
    return token_ids, erased, np.where(erased, np.float32(0), confidence) if blind else confidence


class _Live:
    """A run on its way: its policy's state, and the transmitter at the other end of the feedback."""

    def __init__(self, run, seed, n_frames):
        self.run = run
        self.state_id, self.belief = NOTHING, UNKNOWN
        self.trace = Trace.empty(n_frames)
        self.foresees = getattr(run.policy, "needs_outlook", False)
        self._control = run.policy.initial_state()
        self._feedback = FeedbackLink(run.feedback, seed, self._control.mode_id)
        self._schedule = ModeSchedule(run.policy.fallback_mode, run.hold_slots)

    def mode_of(self, slot):
        """Mode the transmitter uses in a slot."""
        command = self._feedback.command(slot)
        if command is None:
            self._schedule.begin(slot)
        else:
            self._schedule.command(slot, command)
        return self._schedule.mode_of(slot)[0]

    def take(self, slot, step, predicted, outlook=None):
        """Go to the next slot, as `loop.twin.Twin` does."""
        trace, report = self.trace, step.report if outlook is None else replace(step.report, outlook=outlook)
        self.state_id = trace.state_ids[slot] = step.state_id
        self.belief = step.belief
        if step.reception is not None:
            trace.receptions.append(step.reception)
        self._control, mode_id = self.run.policy.step(self._control, report)
        self._feedback.decide(slot, mode_id)
        trace.n_erased[slot], trace.n_accepted_wrong[slot] = step.n_erased, step.n_accepted_wrong
        trace.predicted[slot] = predicted
        trace.drift[slot], trace.quality[slot] = report.drift, report.channel_quality
        trace.risk[slot] = np.nan if self._control.risk is None else self._control.risk
