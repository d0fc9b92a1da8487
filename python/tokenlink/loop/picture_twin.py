# SPDX-License-Identifier: GPL-3.0-or-later
"""Twin node of the adaptive system: classifies what the radio delivers, and chooses the pair of the next slot."""

from __future__ import annotations

import logging
import time

import numpy as np

from tokenlink.control import FeedbackLink, PictureReport
from tokenlink.link.token_ratios import SOURCE_VALUES
from tokenlink.loop.run_config import NodeConfig
from tokenlink.loop.twin import link_record, receive_slot
from tokenlink.process.node import Stopped, run_node
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, Bye, Hello, ModeCommand, StateReport
from tokenlink.wire.sockets import PullSocket, PushSocket

_log = logging.getLogger(__name__)


class PictureTwin:
    """The receiver's classifier and its controller; sees what the receiver sees, never the truth.

    Parameters
    ----------
    codec : object    ``decode`` as of `tokenlink.models.adaptive.picture_codec.AdaptiveCodec`
    policy : object   such as LyapunovPolicy
    run : RunConfig
    table : AdaptiveTable

    Attributes
    ----------
    state : int32 [0]   the twin keeps nothing of a picture
    foretelling : None  nor expects anything of the next one
    """

    state, foretelling = np.zeros(0, np.int32), None

    def __init__(self, codec, policy, run, table):
        self._codec, self._policy, self._run, self._table = codec, policy, run, table
        self.control = policy.initial_state()
        self.feedback = FeedbackLink(run.feedback, run.seed, self.control.mode_id)

    def step(self, estimate, link=None):
        """Take in one picture.

        Parameters
        ----------
        estimate : SemanticEstimate
        link : LinkReport or None   of the same slot; says no more

        Returns
        -------
        (record, timing)   figures of the slot as dict, seconds per stage as dict; `control` has moved on. An estimate
                           that cannot be decoded is a missed slot, and logged
        """
        begin_s = time.monotonic()
        try:
            ratio = self._table.mode(estimate.mode_id).ratio
            logits = self._codec.decode(estimate.symbols, estimate.channel_gains, estimate.n0, estimate.kept, ratio)
            report = PictureReport(estimate.slot, estimate.esn0_db, estimate.symbols.size / SOURCE_VALUES)
        except ValueError as error:  # of a radio that is not ours: as good as nothing, and counted as missed
            _log.warning("slot %d is no picture: %s", estimate.slot, error)
            report = logits = None
        return self._take(estimate.slot, report, logits, begin_s)

    def miss(self, slot):
        """A slot of which nothing came, or whose header was lost; result as for ``step``, the policy gets no report."""
        return self._take(slot, None, None, time.monotonic())

    def _take(self, slot, report, logits, begin_s):
        decoded_s = time.monotonic()
        self.control, mode_id = self._policy.step(self.control, report)
        self.feedback.decide(slot, mode_id)
        record = {
            "missed": report is None,
            "predicted": None if logits is None else int(np.argmax(logits)),
            "confidence": None if logits is None else _largest_share(logits),
            "queue": self.control.queue,
            "feedback_lost": self._run.feedback.lost(self._run.seed, slot),
            "next_mode_id": mode_id,
        }
        return record, {"decode_s": decoded_s - begin_s, "control_s": time.monotonic() - decoded_s}


def _largest_share(logits):
    """The largest softmax of logits float [n]."""
    shares = np.exp(logits - logits.max(), dtype=np.float64)
    return float(shares.max() / shares.sum())


def load_models(run, table):
    """Codec of a run's weights."""
    return system_named(run.system).models.receiver(run.artifacts, table, run.completion)


def make_twin(codec, run, table):
    """The twin of a run."""
    policy = system_named(run.system).loop.policy(run.policy, run.control, table, run.artifacts)
    return PictureTwin(codec, policy, run, table)


def main(config):
    """Serve until stopped: one estimate in, one mode command out, which the camera encodes the next picture in."""
    import torch

    torch.set_num_threads(1)
    run, at, system = config.run, config.addresses, system_named(config.run.system)
    table = system.payload.load_table(run.mode_table)
    twin = make_twin(load_models(run, table), run, table)
    with (
        PullSocket(at.estimates) as radio,
        PushSocket(at.camera) as camera,
        PushSocket(at.twin_records) as recorder,
    ):
        recorder.deliver(Hello(0, 0, "twin", {"torch": torch.__version__}))
        slot = 0
        try:
            while True:
                command = twin.feedback.command(slot)
                camera.deliver(ModeCommand(slot, 0, NO_MODE if command is None else command))
                timeout_s = run.slot_timeout_s if slot else run.startup_timeout_s
                estimate, link = receive_slot(radio, slot, timeout_s, system.payload.estimate)
                received_s = time.monotonic()
                record, timing = twin.miss(slot) if estimate is None else twin.step(estimate, link)
                record["link"] = link_record(link)
                record["timing"] = timing | {"received_at_s": received_s, "decided_at_s": time.monotonic()}
                if estimate is not None:
                    recorder.deliver(estimate)
                recorder.deliver(StateReport(slot, 0, twin.state, record))
                slot += 1
        except Stopped:
            recorder.send(Bye(slot, 0, "twin"))
            raise


if __name__ == "__main__":
    run_node("twin", main, NodeConfig.load)
