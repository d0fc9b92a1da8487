# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of texts: what was lost and what it was worth, by a judge that counts words; a slot of which nothing came."""

import numpy as np
import pytest

from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.measure.records import RunFolder
from tokenlink.measure.text_records import TextRecorder, summarize_texts
from tokenlink.wire import StateReport, TokenEstimate

TABLE = load_tokcode_table()
WORDS = [f"w{i}" for i in range(100)]


class WordCounter:
    """Similarity: share of the sent tokens that came, each once."""

    def text_of(self, token_ids):
        return " ".join(WORDS[each] for each in token_ids)

    def similarity(self, sent, received):
        return len(set(sent.tolist()) & set(received.tolist())) / len(set(sent.tolist()))

    def second_similarity(self, text, received):
        return len(received) / len(text)


def recorder(folder):
    return TextRecorder(RunFolder(folder), TABLE, summarize_texts, WordCounter(), [f"▁{each}" for each in WORDS],
                        lambda n_tokens, mode_id: 1000 * mode_id + n_tokens)  # fmt: skip


def truth(slot, tokens, sent):
    text = WordCounter().text_of(tokens)
    record = {"name": f"t:{slot}", "text": text, "tokens": tokens.tolist(), "timing": {"sent_at_s": 1.0}}
    return StateReport(slot, 0, sent, record)


def twin(slot, received, missed):
    record = {"missed": missed, "received": received.tolist(), "received_text": "x", "feedback_lost": False,
              "next_mode_id": 0, "link": {"drops": {}},
              "timing": {"received_at_s": 2.0, "decided_at_s": 3.0}}  # fmt: skip
    return StateReport(slot, 0, received[received >= 0], record)


def test_what_came_is_measured_against_the_text_and_what_it_would_have_been(tmp_path):
    """Tokens 0 to 9 in five packets; sent is the first half twice. Of packets 1 and 3, tokens 1, 6, 3, 8 are lost."""
    tokens = np.arange(10, dtype=np.int32)
    sent = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], np.int32)[[0, 1, 2, 3, 4, 6, 7, 8, 9, 5]]
    lost = np.isin(tokens % 5, (1, 3))
    estimate = TokenEstimate(0, 0, 2, np.where(lost, 0, sent), (~lost).astype(np.float32), lost, 1 + 1j, 0.1, 7.5)
    out = recorder(tmp_path)
    out.add_truth(truth(0, tokens, sent))
    out.add_estimate(estimate)
    out.add_state(twin(0, np.where(lost, -1, sent), False))
    out.add_truth(truth(1, tokens, sent))
    out.add_state(twin(1, np.zeros(0, np.int32), True))
    summary = out.close()
    first, second = RunFolder(tmp_path).read_lines("records.jsonl")
    assert sent[~lost].tolist() == [0, 2, 4, 1, 3, 0], "sent so that both places of a token go in different packets"
    assert (first["similarity"], first["plain_similarity"]) == (0.5, 0.6)
    assert first["second_similarity"] == pytest.approx(len("w0 w2 w4 w1 w3 w0") / len(first["text"]))
    assert (first["lost_packets"], first["lost_tokens"]) == (0.4, 0.4)
    assert (first["mode"], first["channel_uses"], first["n_wrong_accepted"]) == ("fast", 2010, 0)
    assert first["sent_pieces"][:2] == ["▁w0", "▁w1"] and first["plain_text"] == "w0 w2 w4 w5 w7 w9"
    assert (second["similarity"], second["plain_similarity"], second["lost_packets"]) == (0.0, 0.0, 1.0)
    assert second["mode_id"] is second["channel_uses"] is None and second["missed"]
    assert summary["similarity"] == 0.25 and summary["gain"] == pytest.approx(0.25 - 0.3)
    assert (summary["n_frames"], summary["n_missed"], summary["channel_uses"]) == (2, 1, 2010)
    assert summary["packet_losses"] == {"0.4": 1, "1": 1} and summary["mode_shares"] == {"fast": 1.0}


def test_a_token_that_came_wrong_is_counted(tmp_path):
    tokens = np.arange(5, dtype=np.int32)
    came, none = tokens.copy(), np.zeros(5, bool)
    came[2] = 77
    out = recorder(tmp_path)
    out.add_slot(truth(0, tokens, tokens), TokenEstimate(0, 0, 0, came, np.ones(5, np.float32), none, 1j, 0.1, 3.0),
                 twin(0, came, False))  # fmt: skip
    assert out.close()["n_wrong_accepted"] == 1
