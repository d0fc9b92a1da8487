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
    serve(config, TokenSending)


class Sending:
    """What the senders of all systems share. A sender has ``prepare`` and ``message`` besides, as `TokenSending`.

    Attributes
    ----------
    shows_pictures : bool   whether the ``image`` of a frame is kept for the report
    n_refused : int         frames of the source that could not be sent
    """

    shows_pictures, n_refused = True, 0

    def frames(self, source):
        """What is sent of a source, an iterator."""
        return iter(source)


class TokenSending(Sending):
    """Makes tokens of frames before their slots begin.

    Parameters
    ----------
    run : RunConfig
    table : ModeTable
    words : PullSocket   the twin's words
    """

    def __init__(self, run, table, words):
        self._tokens_of = system_named(run.system).models.sender(run.artifacts, table)
        self._words = Words(words)

    def prepare(self, frame):
        """What can be done of a frame before its slot begins: (it, seconds by stage)."""
        begin_s = time.monotonic()
        token_ids = self._tokens_of(frame)
        return token_ids, {"tokenize_s": time.monotonic() - begin_s}

    def message(self, slot, frame, token_ids):
        """Once the slot has begun: message to the radio, what is true of the frame as array and record, and seconds."""
        self._words.wait(slot)
        return TokenFrame(slot, 0, token_ids), token_ids, truth_record(frame), {}


def serve(config, sending):
    """The camera's work: a ``sending``, made as `TokenSending` is, makes messages of frames, one a slot."""
    run, at, system = config.run, config.addresses, system_named(config.run.system)
    table = system.payload.load_table(run.mode_table)
    # Before torch, whose import takes seconds: a wrong source is refused at once.
    source = system.source.open(run.source)

    import torch

    from tokenlink.models.compiled import engine_version

    torch.set_num_threads(1)
    n_sent = 0
    with (
        PullSocket(at.camera) as words,
        PushSocket(at.tokens) as radio,
        PushSocket(at.camera_records) as recorder,
    ):
        sender = sending(run, table, words)
        made_by = {"torch": torch.__version__, "engine": engine_version()}
        recorder.deliver(Hello(0, 0, "camera", {"origin": getattr(source, "origin", "")} | made_by))
        begin_s = time.monotonic()
        frames = islice(sender.frames(source), config.first_slot, run.n_frames)
        for slot, frame in enumerate(frames, config.first_slot):
            opened_s = time.monotonic()
            prepared, timing = sender.prepare(frame)
            if config.frames_folder and sender.shows_pictures:
                keep_picture(Path(config.frames_folder) / f"{slot:06d}.jpg", frame)
            message, truth, record, later = sender.message(slot, frame, prepared)
            sent_s = time.monotonic()
            radio.deliver(message)
            timing |= later | {"source_s": opened_s - begin_s, "sent_at_s": sent_s}
            recorder.deliver(StateReport(slot, 0, truth, record | {"timing": timing}))
            n_sent += 1
            begin_s = time.monotonic()
        n_skipped = int(getattr(source, "n_skipped", 0)) + sender.n_refused
        if n_sent == 0:
            raise NodeError(f"{run.source} gave no readable frame ({n_skipped} were skipped)")
        recorder.deliver(Bye(n_sent, 0, "camera", "", {"n_frames": n_sent, "n_skipped": n_skipped}))


def keep_picture(path, frame):
    """Write the picture of a frame for the report."""
    with naming(path):
        Image.fromarray(frame.image).save(path, quality=JPEG_QUALITY)


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
