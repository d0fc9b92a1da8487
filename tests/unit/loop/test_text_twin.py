# SPDX-License-Identifier: GPL-3.0-or-later
"""The twin of texts and its camera: what is left of a sequence, modes that follow Es/N0, texts that cannot be sent."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.control import FeedbackConfig  # noqa: E402
from tokenlink.data.text_source import Text  # noqa: E402
from tokenlink.link.tokcode_modes import load_tokcode_table  # noqa: E402
from tokenlink.loop import text_camera  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.loop.text_twin import TextTwin  # noqa: E402
from tokenlink.wire import TokenEstimate  # noqa: E402

TABLE = load_tokcode_table()
#: a word a token, its number; longer texts than twenty are refused
CODEC = SimpleNamespace(text_of=lambda ids: " ".join(map(str, ids)))


def tokens_of(text):
    if len(text.split()) > 20:
        raise ValueError("text too long")
    return np.array([int(word) for word in text.split()], np.int32)


CODEC.tokens_of, CODEC.encode = tokens_of, lambda ids: ids[::-1].copy()


def estimate(slot, token_ids, erased, esn0_db):
    token_ids, erased = np.array(token_ids, np.int32), np.array(erased)
    return TokenEstimate(slot, 0, 1, token_ids, (~erased).astype(np.float32), erased, 1j, 0.1, esn0_db)


def test_what_came_is_read_in_order_and_the_mode_follows_the_channel():
    twin = TextTwin(CODEC, RunConfig("x", system="tokcode", feedback=FeedbackConfig(lost_slots=(1,))), TABLE)
    assert twin.control.mode_id == 0 and twin.foretelling is None
    record, timing = twin.step(estimate(0, [7, 0, 9, 0, 11, 12], [False, True, False, True, False, False], 15.0))
    assert record == {"missed": False, "received": [7, -1, 9, -1, 11, 12], "received_text": "7 9 11 12",
                      "feedback_lost": False, "next_mode_id": 2}  # fmt: skip
    assert twin.state.tolist() == [7, 9, 11, 12] and twin.state.dtype == np.int32
    assert set(timing) == {"decode_s", "control_s"} and twin.feedback.command(1) == 2
    record, _ = twin.step(estimate(1, [3], [False], 6.5))
    assert record["next_mode_id"] == 1 and record["feedback_lost"] and twin.feedback.command(2) is None
    record, _ = twin.miss(2)
    assert record["missed"] and record["received"] == [] and record["received_text"] == ""
    assert record["next_mode_id"] == 1, "held"


def sender(monkeypatch):
    system = SimpleNamespace(models=SimpleNamespace(sender=lambda root, table: CODEC))
    monkeypatch.setattr(text_camera, "system_named", lambda name: system)
    return text_camera.TextSending(SimpleNamespace(system="tokcode", artifacts=None), TABLE, None)


def test_texts_that_cannot_be_sent_are_counted_and_long_ones_come_in_parts(monkeypatch, caplog):
    class Texts(list):
        splits = False

    texts = Texts([Text("1 2 3 4 5 6", "a:1"), Text("1 2 3", "a:2"), Text(" ".join(["5"] * 24), "a:3")])
    sending = sender(monkeypatch)
    found = list(sending.frames(texts))
    assert [(name, text) for name, text, _ in found] == [("a:1", "1 2 3 4 5 6")] and sending.n_refused == 2
    assert "a:2: a sequence of 3 tokens does not fill 5 packets" in caplog.text and "a:3: text too long" in caplog.text
    assert sending.prepare(found[0])[0].tolist() == [6, 5, 4, 3, 2, 1] and not sending.shows_pictures
    texts.splits = True
    halves = {texts[2].text: [" ".join(["5"] * 12)] * 2}
    monkeypatch.setattr(text_camera, "split_text", lambda codec, text: halves.get(text, [text]))
    found = list(sending.frames(texts))
    assert [tokens.size for _, _, tokens in found] == [6, 12, 12] and sending.n_refused == 1
