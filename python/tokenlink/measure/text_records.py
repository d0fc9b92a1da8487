# SPDX-License-Identifier: GPL-3.0-or-later
"""Records and metrics of runs that carry texts: what was sent, what came, and how much of the meaning with it.

    records.jsonl    one line per slot; same configuration and seed, same bytes
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tokenlink.measure.metrics import mean_of, mode_shares
from tokenlink.measure.records import Recorder, channel_of, plain_record

STAGES = ("source_s", "encode_s", "radio_s", "decode_s", "control_s", "loop_s")


class TextRecorder(Recorder):
    """A Recorder of texts; parameters and attributes as there.

    Parameters
    ----------
    judge : object        ``text_of``, ``similarity`` and ``second_similarity`` as of a TextCodec
    pieces : list of str  how each token is written, by id
    channel_uses : (n_tokens, mode_id) -> int   payload symbols of a sequence
    """

    stored = {}
    stages = STAGES

    def __init__(self, folder, table, summarize, judge, pieces, channel_uses):
        super().__init__(folder, table, summarize)
        self._judge, self._pieces, self._channel_uses = judge, pieces, channel_uses

    def _slot(self, truth, estimate, twin):
        record = plain_record(truth, twin) | {"slot": twin.slot, "channel": channel_of(estimate)}
        tokens, sent = np.array(record["tokens"], np.int32), np.asarray(truth.token_ids, np.int32)
        lost = np.ones(sent.size, bool) if estimate is None else np.asarray(estimate.erased, bool)
        record |= {"sent": sent.tolist(), "sent_pieces": [self._pieces[each] for each in sent]}
        record |= self._packets(record, estimate, lost) | self._worth(record["text"], tokens, sent, lost)
        return record, ()

    def _packets(self, record, estimate, lost):
        """Mode, cost, and what was lost."""
        n_packets = self.table.n_packets
        if estimate is None:
            mode = uses = name = None
            wrong = 0
        else:
            mode, name = estimate.mode_id, self.table.mode(estimate.mode_id).name
            uses = self._channel_uses(lost.size, mode)
            wrong = int(np.count_nonzero(~lost & (np.array(record["received"]) != np.array(record["sent"]))))
        n_lost = sum(bool(lost[q::n_packets].all()) for q in range(n_packets))
        return {"mode_id": mode, "mode": name, "channel_uses": uses, "n_wrong_accepted": wrong,
                "lost_packets": n_lost / n_packets, "lost_tokens": float(lost.mean())}  # fmt: skip

    def _worth(self, text, tokens, sent, lost):
        """Similarity of what came, and of what would have come of the text sent as it is, to the text."""
        found = {"plain_text": self._judge.text_of(tokens[~lost])}
        for name, each in (("similarity", sent), ("plain_similarity", tokens)):
            found[name] = self._judge.similarity(tokens, each[~lost])
            found[f"second_{name}"] = self._judge.second_similarity(text, self._judge.text_of(each[~lost]))
        return found


MEANS = ("similarity", "plain_similarity", "second_similarity", "second_plain_similarity", "lost_packets",
         "lost_tokens", "channel_uses")  # fmt: skip


def summarize_texts(records, arrays):
    """All metrics of a run that do not depend on time.

    Parameters
    ----------
    records : list of dict   as TextRecorder writes them
    arrays : dict            not used

    Returns
    -------
    dict   means of MEANS; gain, of similarity over plain_similarity; packet_losses, slots by their number of packets
           lost; mode_shares, n_frames, n_missed, n_wrong_accepted
    """
    means = {key: mean_of(record[key] for record in records) for key in MEANS}
    gain = None if means["similarity"] is None else means["similarity"] - means["plain_similarity"]
    return means | {
        "gain": gain,
        "packet_losses": dict(sorted(Counter(f"{record['lost_packets']:g}" for record in records).items())),
        "mode_shares": mode_shares([record["mode"] for record in records if not record["missed"]]),
        "n_frames": len(records),
        "n_missed": sum(record["missed"] for record in records),
        "n_wrong_accepted": sum(record["n_wrong_accepted"] for record in records),
    }
