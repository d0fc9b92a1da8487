# SPDX-License-Identifier: GPL-3.0-or-later
"""Twin node: completes what the radio delivers, reads the traffic state, and chooses the mode of the next slot."""

from __future__ import annotations

import time

import numpy as np

from tokenlink.control import FeedbackLink, check_controller, drift, make_policy, observe
from tokenlink.link.prior_schedule import OFF, doubt_of
from tokenlink.loop.foretelling import Foretelling
from tokenlink.loop.run_config import NodeConfig
from tokenlink.process.node import Stopped, run_node
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, Bye, Hello, LinkReport, ModeCommand, StateReport, TokenEstimate
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0


class Twin:
    """The twin's state and its controller; sees what the receiver sees, never the truth.

    Parameters
    ----------
    models : TwinModels   of `tokenlink.models.inference`
    run : RunConfig
    n_tokens : int        tokens of a frame
    foretelling : Foretelling   what it expects of frames to come; None: with priors off
    """

    def __init__(self, models, run, n_tokens, foretelling=None):
        self.n_tokens = n_tokens
        self.foretelling = foretelling
        self.models = models
        self.run = run
        self.policy = make_policy(run.policy, run.control)
        self.control = self.policy.initial_state()
        self.feedback = FeedbackLink(run.feedback, run.seed, self.control.mode_id)
        self.state = None

    def step(self, estimate, link=None):
        """Take in one frame.

        Parameters
        ----------
        estimate : TokenEstimate
        link : LinkReport or None   of the same slot; None: it did not come

        Returns
        -------
        (record, timing)   figures of the slot as dict, seconds per stage as dict; `state` and `control` have moved on

        Notes
        -----
        TWIST paper: completion (11, 12), head (13, 14), u (23), d (24) with d_1 = 0, controller (25, 26).
        Tokens that were decided with a prior are the state as they are, erased or not: what the twin expects is in them
        already, and what the channel said too.
        """
        received = estimate.token_ids, np.asarray(estimate.erased), estimate.confidence
        doubt = None if link is None else doubt_of(link.drops)
        return self._take(estimate.slot, *received, estimate.esn0_db, told=doubt is not None and doubt < 1)

    def miss(self, slot):
        """A slot of which nothing came: every token is erased, and nothing is known of the channel.

        Result as for ``step``; the policy gets no report.
        """
        nothing = np.zeros(self.n_tokens, np.int32)
        return self._take(slot, nothing, np.ones(nothing.size, bool), nothing.astype(np.float32), None)

    def _take(self, slot, token_ids, erased, confidence, esn0_db, told=False):
        begin_s = time.monotonic()
        previous = self.state
        state = token_ids if told else self.models.complete(token_ids, erased, confidence, previous)
        self.state = np.where(erased, state, token_ids).astype(np.int32)
        if self.foretelling is not None:
            self.foretelling.take(token_ids, erased, confidence, self.state)
        completed_s = time.monotonic()
        predicted = self.models.read(self.state)
        read_s = time.monotonic()
        priority = int(slot in self.run.urgent_slots)
        outlook = self.foretelling.outlook() if self.policy.needs_outlook else None
        report = None if esn0_db is None else observe(slot, self.state, previous, erased, esn0_db, priority, outlook)
        self.control, mode_id = self.policy.step(self.control, report)
        self.feedback.decide(slot, mode_id)
        record = {
            "missed": report is None,
            "u": float(erased.mean()),
            "d": drift(self.state, previous),
            "gamma": None if report is None else report.channel_quality,
            "priority": priority,
            "risk": self.control.risk,
            "feedback_lost": self.run.feedback.lost(self.run.seed, slot),
            "next_mode_id": mode_id,
            "predicted": predicted,
        }
        timing = {"complete_s": completed_s - begin_s, "head_s": read_s - completed_s}
        return record, timing | {"control_s": time.monotonic() - read_s}


def load_models(run, table):
    """What the run's system completes and reads with, refused where it does not fit the mode table."""
    check_controller(run.control, table)
    return system_named(run.system).models.receiver(run.artifacts, table, run.completion)


def make_twin(models, run, table):
    """The twin of a run, which foretells frames unless priors are off."""
    return Twin(models, run, table.n_tokens, None if run.prior == OFF else Foretelling(models.predict, table))


def main(config):
    """Serve until stopped: one estimate in, one mode command out."""
    serve(config, load_models, make_twin)


def serve(config, load_models, make_twin):
    """A twin's work, for systems whose radio chooses the mode: ``make_twin`` as the one here, of what ``load_models``
    loads."""
    import torch

    from tokenlink.models.compiled import engine_version

    torch.set_num_threads(1)
    run, at = config.run, config.addresses
    table = system_named(run.system).payload.load_table(run.mode_table)
    twin = make_twin(load_models(run, table), run, table)
    with (
        PullSocket(at.estimates) as radio,
        PushSocket(at.mode) as modes,
        _Priors(twin, at.prior) as priors,
        PushSocket(at.camera) as camera,
        PushSocket(at.twin_records) as recorder,
    ):
        recorder.deliver(Hello(0, 0, "twin", {"torch": torch.__version__, "engine": engine_version()}))
        modes.deliver(Hello(0, 0, "twin"))  # a radio that has served another run forgets its commands
        priors.greet()
        priors.foretell(0)
        slot = 0
        try:
            while True:
                priors.send()  # before the mode: who waits for both finds it there
                command = twin.feedback.command(slot)
                modes.deliver(ModeCommand(slot, 0, NO_MODE if command is None else command))
                camera.deliver(ModeCommand(slot, 0, twin.control.mode_id))
                estimate, link = receive_slot(radio, slot, run.slot_timeout_s if slot else run.startup_timeout_s)
                received_s = time.monotonic()
                record, timing = twin.miss(slot) if estimate is None else twin.step(estimate, link)
                record["link"] = link_record(link)
                timing |= priors.foretell(slot + 1)
                record["timing"] = timing | {"received_at_s": received_s, "decided_at_s": time.monotonic()}
                if estimate is not None:
                    recorder.deliver(estimate)
                recorder.deliver(StateReport(slot, 0, twin.state, record))
                slot += 1
        except Stopped:
            recorder.send(Bye(slot, 0, "twin"))
            raise


class _Priors:
    """Makes a twin's priors and sends them to the receiving radio, as a context; nothing where priors are off. One that
    finds no room is missing at the radio, which counts it and decodes without."""

    def __init__(self, twin, address):
        self._foretelling, self._message = twin.foretelling, None
        self._socket = None if self._foretelling is None else PushSocket(address)

    def greet(self):
        """A radio that has served another run forgets its priors."""
        if self._socket is not None:
            self._socket.deliver(Hello(0, 0, "twin"))

    def foretell(self, slot):
        """Make the prior of a slot; the time that took, s, as a part of the slot's timing before."""
        if self._socket is None:
            return {}
        begin_s = time.monotonic()
        self._message = self._foretelling.prior(slot)
        return {"foretell_s": time.monotonic() - begin_s}

    def send(self):
        """Send the prior made last."""
        if self._socket is not None:
            self._socket.send(self._message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._socket is not None:
            self._socket.close()


def receive_slot(radio, slot, timeout_s, kind=TokenEstimate):
    """What the radio says of a slot, in whichever order it comes; what belongs to an older slot is passed over.

    Parameters
    ----------
    radio : PullSocket
    slot : int
    timeout_s : float   wait that long
    kind : type         of the estimates

    Returns
    -------
    (estimate or None, LinkReport or None)   None: did not come in time, or the radio says it never will
    """
    got, deadline_s = {}, time.monotonic() + timeout_s
    while len(got) < 2 and (left_s := deadline_s - time.monotonic()) > 0:
        message = radio.recv(min(IDLE_S, left_s))
        if isinstance(message, kind) and (message.slot, message.mode_id) == (slot, NO_MODE):
            return None, None
        if isinstance(message, kind | LinkReport) and message.slot == slot:
            got[type(message)] = message
    return got.get(kind), got.get(LinkReport)


def link_record(link):
    """A LinkReport as plain values; those of one that did not come are None."""
    if link is None:
        return {"iterations": None, "parity_ok": None, "drops": {}}
    return {
        "iterations": link.iterations.tolist(),
        "parity_ok": link.parity_ok.tolist(),
        "drops": link.drops,
    }


if __name__ == "__main__":
    run_node("twin", main, NodeConfig.load)
