# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the traffic-state head on the embeddings of clean, stale and wrong tokens; calibrate it on validation data."""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from tokenlink.models.twist.head import TrafficHead
from tokenlink.train.training_run import Run, TrainingSettings, set_up
from tokenlink.train.twist.frame_store import Batch
from tokenlink.train.twist.scores import f1, macro_f1, traffic_scores
from tokenlink.train.twist.token_sets import TokenSet
from tokenlink.train.twist.tokenizer import task_loss


@dataclass(frozen=True)
class HeadTraining(TrainingSettings):
    """Settings of a training run.

    Parameters
    ----------
    spoiled_share : float
        Share of frames of which some tokens are replaced by those of the frame before or by random ones.
    averaging : float
        Decay of the running mean of the weights; the mean that was best on the validation data comes out.
    watch_every : int
        Steps from one look at the validation data to the next.
    """

    minutes: float = 8.0
    batch: int = 32
    peak_rate: float = 4e-4
    spoiled_share: float = 0.7
    averaging: float = 0.995
    watch_every: int = 200
    seed: int = 2


def spoil(tokens: TokenSet, indices: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Tokens of frames, some as a bad link leaves them: stale where erased and filled, random where wrongly accepted.

    Parameters
    ----------
    tokens : TokenSet
        All tokens.
    indices : int64 [n]
        Frames.
    share : float
        Share of the frames that are spoiled.
    rng : Generator
        Source of chance.

    Returns
    -------
    int64 [n, n_tokens]
        Token ids.
    """
    clean = tokens.token_ids[indices].astype(np.int64)
    before = tokens.earlier(indices, 1)
    stale = tokens.token_ids[np.where(before >= 0, before, indices)].astype(np.int64)
    other = tokens.token_ids[rng.integers(len(tokens), size=len(indices))].astype(np.int64)
    spoiled = (rng.random(len(indices)) < share)[:, None]
    old_rate = rng.uniform(0, 0.4, (len(indices), 1))
    wrong_rate = rng.uniform(0, 0.06, (len(indices), 1))
    ids = np.where(spoiled & (rng.random(clean.shape) < old_rate), stale, clean)
    return np.where(spoiled & (rng.random(clean.shape) < wrong_rate), other, ids)


@torch.no_grad()
def head_logits(head: TrafficHead, embeddings: torch.Tensor, token_ids: np.ndarray) -> np.ndarray:
    """Logits float32 [n, 5] (car, VRU, density classes) of token ids integer [n, n_tokens]."""
    head.eval()
    parts = []
    for start in range(0, len(token_ids), 64):
        out = head(embeddings[torch.from_numpy(token_ids[start : start + 64].astype(np.int64))])
        parts.append(torch.cat([out.car[:, None], out.vru[:, None], out.density], dim=1).numpy())
    return np.concatenate(parts)


def said_states(logits: np.ndarray) -> np.ndarray:
    """States int64 [n, 3] that logits [n, 5] say."""
    return np.stack([logits[:, 0] > 0, logits[:, 1] > 0, logits[:, 2:].argmax(1)], axis=1).astype(np.int64)


def calibration(logits: np.ndarray, labels: np.ndarray, shrink: float = 0.5) -> np.ndarray:
    """Offsets float32 [5] of the logits with which the F1 scores are best, pulled towards 0 by `shrink`."""
    offsets = np.zeros(5, np.float32)
    steps = np.linspace(-2.5, 2.5, 41)
    for k in (0, 1):
        scores = np.array([f1(labels[:, k] == 1, logits[:, k] + step > 0) for step in steps])
        smooth = np.convolve(np.pad(scores, 2, mode="edge"), np.ones(5) / 5, mode="valid")
        offsets[k] = steps[int(smooth.argmax())]
    for _ in range(3):
        for k in (2, 4):
            scores = []
            for step in steps:
                offsets[k] = step
                scores.append(macro_f1(labels[:, 2], (logits[:, 2:] + offsets[2:]).argmax(1)))
            smooth = np.convolve(np.pad(scores, 2, mode="edge"), np.ones(5) / 5, mode="valid")
            offsets[k] = steps[int(smooth.argmax())]
    return offsets * (1 - shrink)


def train(
    settings: HeadTraining, start: TrafficHead, embeddings: torch.Tensor, tokens: list[TokenSet], validation: TokenSet
) -> tuple[TrafficHead, Run]:
    """Train until the budget is spent, then take the mean that was best on the validation data and calibrate it.

    Parameters
    ----------
    settings : HeadTraining
        Settings.
    start : TrafficHead
        Where to start: the head that was trained along with the tokenizer, or a new one.
    embeddings : float32 [vocab_size, dim]
        Embedding of each code.
    tokens, validation : list of TokenSet, TokenSet
        Training data, and data for calibration.
    """
    set_up(settings.seed, settings.threads)
    head, mean, best = start, copy.deepcopy(start), copy.deepcopy(start)
    optimizer = torch.optim.AdamW(head.parameters(), lr=settings.peak_rate, weight_decay=0.1)
    run = Run(settings.work, settings.budget, {"head": head, "mean": mean, "best": best, "optimizer": optimizer})
    run.resume()
    rng = np.random.default_rng([settings.seed, run.step])
    weights = [_weights(part.labels) for part in tokens]
    total = 0.0
    while run.set_rate(optimizer) < 1:
        part = int(rng.integers(len(tokens)))
        indices = rng.choice(len(tokens[part]), settings.batch, p=weights[part])
        batch = _batch(tokens[part], indices)
        ids = torch.from_numpy(spoil(tokens[part], indices, settings.spoiled_share, rng))
        head.train()
        loss = task_loss(head(embeddings[ids]), batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        run.step += 1
        decay = min(settings.averaging, 1 - 1 / (1 + run.step))
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), head.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        total += float(loss.detach())
        if run.step % 200 == 0:
            run.log(progress=run.progress, loss=total / 200)
            total = 0.0
        if run.step % settings.watch_every == 0:
            said = said_states(head_logits(mean, embeddings, validation.token_ids))
            scores = traffic_scores(validation.labels, said)
            run.log(validation=scores)
            if scores["f1_avg"] > run.extra.get("best", 0.0):
                run.extra["best"] = scores["f1_avg"]
                best.load_state_dict(mean.state_dict())
        run.save(every_s=60)
    run.save()
    mean = best if "best" in run.extra else mean
    mean.calibration.zero_()
    offsets = calibration(head_logits(mean, embeddings, validation.token_ids), validation.labels)
    mean.calibration.copy_(torch.from_numpy(offsets))
    return mean.eval(), run


def _weights(labels):
    kind = labels @ np.array([6, 3, 1])
    weight = (np.bincount(kind, minlength=12) / len(kind))[kind] ** -0.3
    return weight / weight.sum()


def _batch(tokens, indices):
    cells = torch.from_numpy(np.ascontiguousarray(tokens.cells[indices])).float()
    counts = torch.from_numpy(np.ascontiguousarray(tokens.counts[indices])).float()
    none = torch.zeros(0)
    return Batch(none, torch.from_numpy(tokens.labels[indices]), cells, counts, none)
