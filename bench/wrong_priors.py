# SPDX-License-Identifier: GPL-3.0-or-later
"""What wrong priors cost on rendered scenes: what docs/prior.md says of them, by the shipped predictor and mode table.

    python bench/wrong_priors.py --tracks kitti_tracking [--split val] [--limit 60]

Every frame is received once (AWGN) and decoded without a prior, with the right one, and with wrong ones: what follows
from a frame of another track (a scene cut), from one of the same track half the track away, from one ten slots before,
taken for the last or told to be old, and from the right one turned around: the adversary holds the most probable code
for the least probable one, at all positions or at a third of them. The cost is the loss of Es/N0 that would make as
many more wrong tokens without a prior, measured with the same noise 0.2 dB stronger; in brackets twice its standard
error over frames. AUER: wrong among the accepted. Written to standard output as Markdown.
"""

import argparse

import numpy as np

from tokenlink.link.belief import Belief
from tokenlink.link.gating import gate, thresholds_with_prior
from tokenlink.link.modes import load_mode_table
from tokenlink.link.prior_decoding import decide_with_prior, decode_with_prior
from tokenlink.link.prior_schedule import BEST, PRIOR_CODES, exchanges_of
from tokenlink.link.token_prior import DensePrior
from tokenlink.link.twist import decide_tokens, decode_groups, demap_groups, encode_frame
from tokenlink.models.inference import BatchModels, load_networks
from tokenlink.study.dataset import load_sequences

STEP_DB, OLD, SEED = 0.2, 10, 1
CASES = (("low", 8.0), ("low", 10.0), ("med", 7.0))
RIGHT = "right"


def belief_at(tokens, slot, age=1):
    """What a twin believes that knows the true frames up to a slot."""
    return Belief(tokens[slot], np.ones(tokens.shape[1], np.float32), tokens[slot - 1], age)


def turned_around(probability):
    """The most probable code of each position changes places with the least probable one, and so on."""
    order = np.argsort(probability, axis=1)
    turned = np.empty_like(probability)
    np.put_along_axis(turned, order, np.take_along_axis(probability, order[:, ::-1], 1), 1)
    return turned


def priors_of(tokens, others, slot, predict):
    """Priors of a frame by what is wrong with them, float32 [n_tokens, vocab_size]."""
    away = (slot + len(tokens) // 2 - 1) % (len(tokens) - 1) + 1
    beliefs = {
        RIGHT: belief_at(tokens, slot - 1),
        "scene cut": belief_at(others, 1 + (slot - 1) % (len(others) - 1)),
        "half the track away": belief_at(tokens, away),
        f"{OLD} slots old, taken for the last": belief_at(tokens, slot - OLD),
        f"{OLD} slots old, told so": belief_at(tokens, slot - OLD, OLD),
    }
    found = dict(zip(beliefs, predict(list(beliefs.values())), strict=True))
    turned = turned_around(found[RIGHT])
    third = np.arange(len(turned))[:, None] % 3 == 0
    return found | {"adversary": turned, "adversary at a third": np.where(third, turned, found[RIGHT])}


def received(sent, mode, table, esn0_db, noise):
    """LLRs of a frame over AWGN; noise complex64 of variance 1."""
    n0 = 10 ** (-esn0_db / 10)
    symbols = encode_frame(sent, mode, table)
    return demap_groups(symbols + np.float32(np.sqrt(n0)) * noise, 1.0, n0, mode, table)


def judge(token_ids, confidence, sent, thresholds):
    """Wrong tokens, accepted ones, and wrong among them."""
    accepted, wrong = ~gate(confidence, thresholds), token_ids != sent
    return [wrong.sum(), accepted.sum(), (accepted & wrong).sum()]


def counts_of(sequences, mode, table, esn0_db, predict, limit):
    """Rows [wrong, accepted, wrong among them] of every frame, float64 [frames, 3], by kind of prior."""
    rng, rows, thresholds = np.random.default_rng(SEED), {}, table.token_thresholds(mode)
    all_tokens = [np.asarray(each.token_ids, np.int32) for each in sequences]
    for tokens, others in zip(all_tokens, all_tokens[1:] + all_tokens[:1], strict=True):
        for slot in range(OLD + 1, min(len(tokens), OLD + 1 + limit)):
            sent, n = tokens[slot], table.total_channel_uses(mode)
            noise = (rng.standard_normal((n, 2)).astype(np.float32) / np.float32(np.sqrt(2))).view(np.complex64)[:, 0]
            for kind, level_db in (("none", esn0_db), ("worse", esn0_db - STEP_DB)):
                llr = received(sent, mode, table, level_db, noise)
                plain = decide_tokens(decode_groups(llr, mode, table)[0], table)
                rows.setdefault(kind, []).append(judge(*plain, sent, thresholds))
            llr = received(sent, mode, table, esn0_db, noise)
            for kind, probability in priors_of(tokens, others, slot, predict).items():
                prior = DensePrior(probability).sparse(PRIOR_CODES)
                found = decode_with_prior(llr, prior, mode, table, exchanges_of(BEST))
                decided = decide_with_prior(found.extrinsic_llr, found.prior, table)
                rows.setdefault(kind, []).append(judge(*decided, sent, thresholds_with_prior(thresholds, found.doubt)))
    return {kind: np.array(each, float) for kind, each in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, default=60)
    arguments = parser.parse_args()
    table = load_mode_table()
    sequences = load_sequences("rendered", arguments.split, tracks=arguments.tracks)
    predict = BatchModels(load_networks(None, table)).predict
    print("| mode, Es/N0 | prior | wrong tokens | cost, dB | AUER |\n|---|---|--:|--:|--:|")
    for name, esn0_db in CASES:
        rows = counts_of(sequences, table.mode_named(name), table, esn0_db, predict, arguments.limit)
        none = rows["none"][:, 0]
        slope = (rows.pop("worse")[:, 0] - none).mean() / STEP_DB
        for kind, each in rows.items():
            more = each[:, 0] - none
            cost, error = more.mean() / slope, 2 * more.std(ddof=1) / np.sqrt(len(more)) / slope
            auer = each[:, 2].sum() / max(each[:, 1].sum(), 1)
            text = "" if kind == "none" else f"{cost:+.2f} ({error:.2f})"
            share = each[:, 0].mean() / table.n_tokens
            print(f"| {name}, {esn0_db:g} dB | {kind} | {share:.4f} | {text} | {auer:.4f} |", flush=True)


if __name__ == "__main__":
    main()
