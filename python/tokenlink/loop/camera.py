# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera node: frames of a source, tokenized and sent one per slot, each after the twin's word for its slot."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

from PIL import Image

from tokenlink.files.writing import naming
from tokenlink.loop.run_config import NodeConfig
from tokenlink.process.node import NodeError, run_node
from tokenlink.systems import system_named
from tokenlink.wire import Bye, Hello, ModeCommand, StateReport, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0
JPEG_QUALITY = 88


def truth_record(frame):
    """What is known about a frame beyond its tokens, for the records: its name and its labels, if any."""
    labels = frame.labels
    known = None if labels is None else {"car": labels.car, "vru": labels.vru, "density": int(labels.density)}
    return {"name": frame.name, "truth": known}


def main(config):
    """Send up to `n_frames` frames, then a Bye with the number of frames sent and skipped."""
    run, at, system = config.run, config.addresses, system_named(config.run.system)
    table = system.payload.load_table(run.mode_table)
    # Before torch, whose import takes seconds: a wrong source is refused at once.
    source = system.source.open(run.source)

    import torch

    from tokenlink.models.compiled import engine_version

    torch.set_num_threads(1)
    tokens_of = system.models.sender(run.artifacts, table)
    n_sent = 0
    with (
        PullSocket(at.camera) as words,
        PushSocket(at.tokens) as radio,
        PushSocket(at.camera_records) as recorder,
    ):
        made_by = {"torch": torch.__version__, "engine": engine_version()}
        recorder.deliver(Hello(0, 0, "camera", {"origin": getattr(source, "origin", "")} | made_by))
        may_send = Words(words)
        begin_s = time.monotonic()
        for slot, frame in enumerate(islice(source, config.first_slot, run.n_frames), config.first_slot):
            opened_s = time.monotonic()
            token_ids = tokens_of(frame)
            ready_s = time.monotonic()
            if config.frames_folder:
                picture = Path(config.frames_folder) / f"{slot:06d}.jpg"
                with naming(picture):
                    Image.fromarray(frame.image).save(picture, quality=JPEG_QUALITY)
            may_send.wait(slot)
            sent_s = time.monotonic()
            radio.deliver(TokenFrame(slot, 0, token_ids))
            timing = {"source_s": opened_s - begin_s, "tokenize_s": ready_s - opened_s, "sent_at_s": sent_s}
            recorder.deliver(StateReport(slot, 0, token_ids, {**truth_record(frame), "timing": timing}))
            n_sent += 1
            begin_s = time.monotonic()
        n_skipped = int(getattr(source, "n_skipped", 0))
        if n_sent == 0:
            raise NodeError(f"{run.source} gave no readable frame ({n_skipped} were skipped)")
        recorder.deliver(Bye(n_sent, 0, "camera", "", {"n_frames": n_sent, "n_skipped": n_skipped}))


class Words:
    """The twin's words, each of which lets a slot begin, and with it the slots before, should their words be lost.

    Waiting needs no deadline: the twin gives up on a slot and goes on, and the runner ends a run without a twin.

    Parameters
    ----------
    socket : PullSocket
    """

    def __init__(self, socket):
        self._socket = socket
        self._latest = -1

    def wait(self, slot):
        """Return once this slot may begin."""
        while self._latest < slot:
            message = self._socket.recv(IDLE_S)
            if isinstance(message, ModeCommand):
                self._latest = max(self._latest, message.slot)


if __name__ == "__main__":
    run_node("camera", main, NodeConfig.load)
