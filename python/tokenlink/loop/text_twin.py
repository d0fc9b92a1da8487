# SPDX-License-Identifier: GPL-3.0-or-later
"""Twin node of TokCode: reads what came of a text, and chooses the mode of the next one."""

from __future__ import annotations

import time

import numpy as np

from tokenlink.control import FeedbackLink, PacketReport
from tokenlink.link.packets import NOTHING
from tokenlink.loop.run_config import NodeConfig
from tokenlink.loop.twin import serve
from tokenlink.process.node import run_node
from tokenlink.systems import system_named


class TextTwin:
    """The receiver of texts and its controller; sees what the receiver sees, never the truth.

    Parameters
    ----------
    codec : TextCodec   ``text_of`` as of `tokenlink.models.tokcode.text_codec`
    run : RunConfig
    table : TokcodeTable

    Attributes
    ----------
    state : int32 [n]   tokens that came of the latest text, one after the other
    foretelling : None  nothing is expected of the next one
    """

    foretelling = None

    def __init__(self, codec, run, table):
        self._codec, self._run = codec, run
        self.policy = system_named(run.system).loop.policy(run.policy, run.control, table, run.artifacts)
        self.control = self.policy.initial_state()
        self.feedback = FeedbackLink(run.feedback, run.seed, self.control.mode_id)
        self.state = np.zeros(0, np.int32)

    def step(self, estimate, link=None):
        """Take in one text.

        Parameters
        ----------
        estimate : TokenEstimate
        link : LinkReport or None   of the same slot; says no more

        Returns
        -------
        (record, timing)   figures of the slot as dict, seconds per stage as dict; `state` and `control` have moved on
        """
        erased = np.asarray(estimate.erased, bool)
        received = np.where(erased, NOTHING, estimate.token_ids)
        return self._take(estimate.slot, received, PacketReport(estimate.slot, estimate.esn0_db))

    def miss(self, slot):
        """A slot of which nothing came; result as for ``step``, the policy gets no report."""
        return self._take(slot, np.zeros(0, np.int32), None)

    def _take(self, slot, received, report):
        begin_s = time.monotonic()
        self.state = received[received != NOTHING].astype(np.int32)
        text = self._codec.text_of(self.state)
        read_s = time.monotonic()
        self.control, mode_id = self.policy.step(self.control, report)
        self.feedback.decide(slot, mode_id)
        record = {
            "missed": report is None,
            "received": received.tolist(),
            "received_text": text,
            "feedback_lost": self._run.feedback.lost(self._run.seed, slot),
            "next_mode_id": mode_id,
        }
        return record, {"decode_s": read_s - begin_s, "control_s": time.monotonic() - read_s}


def load_models(run, table):
    """What the run's system reads texts with."""
    return system_named(run.system).models.receiver(run.artifacts, table, run.completion)


def make_twin(codec, run, table):
    """The twin of a run."""
    return TextTwin(codec, run, table)


def main(config):
    """Serve until stopped: one estimate in, one mode command out."""
    serve(config, load_models, make_twin)


if __name__ == "__main__":
    run_node("twin", main, NodeConfig.load)
