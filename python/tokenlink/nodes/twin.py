# SPDX-License-Identifier: GPL-3.0-or-later
"""Twin node: completes what the radio delivers, reads the traffic state, and chooses the mode of the next slot."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tokenlink.control import Report, channel_quality, make_policy
from tokenlink.link.modes import load_mode_table
from tokenlink.nodes.process import NodeError, Stopped, run_node
from tokenlink.wire import Bye, Hello, LinkReport, ModeCommand, StateReport, TokenEstimate
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0
_FEEDBACK_STREAM = 3


@dataclass(frozen=True)
class TwinModels:
    """The learned parts as functions, so that the twin knows no framework.

    Attributes
    ----------
    complete : (token_ids int32 [n_tokens], erased bool, confidence float32, previous int32 or None) -> int32 [n_tokens]
    read : token_ids int32 [n_tokens] -> dict of car and vru (bool, with probabilities p_car, p_vru) and density (0..2)
    """

    complete: callable
    read: callable


class Twin:
    """The twin's state and its controller; sees what the receiver sees, never the truth.

    Parameters
    ----------
    models : TwinModels
    run : RunConfig
    """

    def __init__(self, models, run):
        self.models = models
        self.run = run
        self.policy = make_policy(run.policy, run.control)
        self.control = self.policy.initial_state()
        self.state = None

    def step(self, estimate):
        """Take in one frame.

        Parameters
        ----------
        estimate : TokenEstimate

        Returns
        -------
        (record, timing)   figures of the slot as dict, seconds per stage as dict; `state` and `control` have moved on

        Notes
        -----
        TWIST paper: completion (11, 12), head (13, 14), u (23), d (24) with d_1 = 0, controller (25, 26).
        """
        begin_s = time.monotonic()
        previous, erased = self.state, np.asarray(estimate.erased)
        state = self.models.complete(estimate.token_ids, erased, estimate.confidence, previous)
        state = np.where(erased, state, estimate.token_ids).astype(np.int32)
        completed_s = time.monotonic()
        predicted = self.models.read(state)
        read_s = time.monotonic()
        report = Report(
            estimate.slot,
            erased_fraction=float(erased.mean()),
            drift=0.0 if previous is None else float((state != previous).mean()),
            channel_quality=channel_quality(estimate.esn0_db),
            priority=int(estimate.slot in self.run.urgent_slots),
        )
        lost = self._feedback_lost(estimate.slot)
        self.control, mode_id = self.policy.step(self.control, None if lost else report)
        self.state = state
        record = {
            "u": report.erased_fraction,
            "d": report.drift,
            "gamma": report.channel_quality,
            "priority": report.priority,
            "risk": self.control.risk,
            "feedback_lost": lost,
            "next_mode_id": mode_id,
            "predicted": predicted,
        }
        timing = {"complete_s": completed_s - begin_s, "head_s": read_s - completed_s}
        return record, timing | {"control_s": time.monotonic() - read_s}

    def _feedback_lost(self, slot):
        feedback = self.run.feedback
        draw = np.random.default_rng((self.run.seed, _FEEDBACK_STREAM, slot)).random()
        return bool(slot in feedback.lost_slots or draw < feedback.loss_probability)


def load_models(run, table):
    """TwinModels from the run's artifacts, refused where they do not fit the mode table."""
    import torch

    from tokenlink.models import artifact
    from tokenlink.models.completion import complete

    root = run.artifacts or artifact.DEFAULT_DIR
    names = ("tokenizer", "completion", "head")
    tokenizer, completion, head = (artifact.load(name, root, table.vocab_size) for name in names)
    if completion.config.n_tokens != table.n_tokens:
        raise NodeError(f"completion is for {completion.config.n_tokens} tokens, the mode table has {table.n_tokens}")

    def batch(values):
        return None if values is None else torch.from_numpy(np.array(values))[None]

    def fill(token_ids, erased, confidence, previous):
        if not erased.any():
            return token_ids
        if run.completion == "copy":
            return np.where(erased, 0 if previous is None else previous, token_ids)
        return complete(completion, batch(token_ids), batch(erased), batch(confidence), batch(previous))[0][0].numpy()

    @torch.no_grad()
    def read(token_ids):
        logits = head(tokenizer.embed(batch(token_ids)))
        presence = torch.sigmoid(torch.cat([logits.car, logits.vru])).tolist()
        return {
            "car": presence[0] > 0.5,
            "vru": presence[1] > 0.5,
            "density": int(logits.density.argmax()),
            "p_car": round(presence[0], 6),
            "p_vru": round(presence[1], 6),
        }

    return TwinModels(fill, read)


def main(config):
    """Serve until stopped: one estimate in, one mode command out."""
    import torch

    torch.set_num_threads(1)
    run, at = config.run, config.addresses
    twin = Twin(load_models(run, load_mode_table(run.mode_table)), run)
    with (
        PullSocket(at.estimates) as radio,
        PushSocket(at.mode) as modes,
        PushSocket(at.camera) as camera,
        PushSocket(at.twin_records) as recorder,
    ):
        recorder.send(Hello(0, 0, "twin", {"torch": torch.__version__}))
        slot = 0
        try:
            while True:
                command = ModeCommand(slot, 0, twin.control.mode_id)
                modes.send(command)
                camera.send(command)
                estimate, link = receive_slot(radio, slot)
                received_s = time.monotonic()
                record, timing = twin.step(estimate)
                record["link"] = link_record(link)
                record["timing"] = timing | {"received_at_s": received_s, "decided_at_s": time.monotonic()}
                recorder.send(estimate)
                recorder.send(StateReport(slot, 0, twin.state, record))
                slot += 1
        except Stopped:
            recorder.send(Bye(slot, 0, "twin"))
            raise


def receive_slot(radio, slot):
    """TokenEstimate and LinkReport of a slot, in whichever order they come; older ones are passed over."""
    got = {}
    while len(got) < 2:
        message = radio.recv(IDLE_S)
        if isinstance(message, TokenEstimate | LinkReport) and message.slot == slot:
            got[type(message)] = message
    return got[TokenEstimate], got[LinkReport]


def link_record(link):
    """A LinkReport as plain values."""
    return {
        "iterations": link.iterations.tolist(),
        "parity_ok": link.parity_ok.tolist(),
        "drops": link.drops,
    }


if __name__ == "__main__":
    run_node("twin", main)
