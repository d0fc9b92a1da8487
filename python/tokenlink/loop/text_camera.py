# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera node of TokCode: texts in the place of frames, their tokens encoded so that lost ones matter less."""

from __future__ import annotations

import logging
import time

from tokenlink.link.packets import check_packets
from tokenlink.loop.camera import Sending, Words, serve
from tokenlink.loop.run_config import NodeConfig
from tokenlink.models.tokcode.text_codec import split_text
from tokenlink.process.node import run_node
from tokenlink.systems import system_named
from tokenlink.wire import TokenFrame

_log = logging.getLogger(__name__)


class TextSending(Sending):
    """Makes and encodes the tokens of texts before their slots begin.

    Parameters
    ----------
    run : RunConfig
    table : TokcodeTable
    words : PullSocket   the twin's words
    """

    shows_pictures = False

    def __init__(self, run, table, words):
        self._codec, self._table = system_named(run.system).models.sender(run.artifacts, table), table
        self._words = Words(words)

    def frames(self, source):
        """Texts with their tokens, long ones in parts where the source says so; one that cannot be sent as a whole is
        logged and counted."""
        self.n_refused = 0
        for text in source:
            try:
                parts = split_text(self._codec, text.text) if source.splits else [text.text]
                found = [(text.name, part, self._codec.tokens_of(part)) for part in parts]
                for _, _, tokens in found:
                    check_packets(tokens.size, self._table.n_packets)
            except ValueError as error:
                self.n_refused += 1
                _log.warning("skipped: %s: %s", text.name, error)
                continue
            yield from found

    def prepare(self, frame):
        """As of `tokenlink.loop.camera.TokenSending`."""
        begin_s = time.monotonic()
        return self._codec.encode(frame[2]), {"encode_s": time.monotonic() - begin_s}

    def message(self, slot, frame, token_ids):
        """As of `tokenlink.loop.camera.TokenSending`; the array is what is sent."""
        name, text, tokens = frame
        self._words.wait(slot)
        return TokenFrame(slot, 0, token_ids), token_ids, {"name": name, "text": text, "tokens": tokens.tolist()}, {}


def main(config):
    """Send up to `n_frames` texts, then a Bye with the number sent and skipped."""
    serve(config, TextSending)


if __name__ == "__main__":
    run_node("camera", main, NodeConfig.load)
