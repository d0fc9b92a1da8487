# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the completion model on tokens alone: losses as the link makes them, previous states as the twin has them."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.twist.completion import Completion, complete
from tokenlink.train.training_run import Run, TrainingSettings, set_up
from tokenlink.train.twist.link_damage import Received, default_group_map, doubt, erasures, receive
from tokenlink.train.twist.token_sets import TokenSet


@dataclass(frozen=True)
class CompletionTraining(TrainingSettings):
    """Settings of a training run.

    Parameters
    ----------
    own_share : float
        Share of the steps whose previous states the model itself completed, from an earlier frame with losses.
    """

    minutes: float = 12.0
    batch: int = 16
    peak_rate: float = 1.2e-3
    own_share: float = 0.15
    seed: int = 3


@torch.no_grad()
def start_from_codes(model: Completion, embeddings: torch.Tensor) -> None:
    """Let the model's token vectors begin as the principal components of the code embeddings float32 [vocab, dim]."""
    centred = embeddings - embeddings.mean(0)
    left, scale, _ = torch.linalg.svd(centred, full_matrices=False)
    parts = (left * scale)[:, : model.config.dim]
    vectors = torch.randn(len(embeddings), model.config.dim) * 0.05
    vectors[:, : parts.shape[1]] += parts / parts.std() * 0.3 * (model.config.dim / parts.shape[1]) ** 0.25
    model.token.weight.copy_(vectors)


def as_tensors(received: Received) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, erasures and confidences as `Completion.forward` takes them."""
    return tuple(torch.from_numpy(x) for x in (received.token_ids, received.erased, received.confidence))


def previous_states(tokens: TokenSet, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Previous states int64 [n, n_tokens] without a model: right, stale or wrong in places, older, or none (-1)."""
    n = len(indices)
    skipped = rng.choice([1, 1, 1, 1, 1, 1, 1, 2, 2, 3], size=n)
    before = tokens.earlier(indices, 1)
    older = np.where(tokens.earlier(indices, skipped) >= 0, tokens.earlier(indices, skipped), before)
    oldest = np.where(tokens.earlier(indices, skipped + 2) >= 0, tokens.earlier(indices, skipped + 2), older)
    ids, stale = (tokens.token_ids[x].astype(np.int64) for x in (older, oldest))
    spoiled = rng.random((n, 1)) < 0.5
    ids = np.where(spoiled & (rng.random(ids.shape) < rng.uniform(0, 0.5, (n, 1))), stale, ids)
    other = tokens.token_ids[rng.integers(len(tokens), size=n)].astype(np.int64)
    ids = np.where(spoiled & (rng.random(ids.shape) < rng.uniform(0, 0.1, (n, 1))), other, ids)
    ids[(before < 0) | (rng.random(n) < 0.04)] = -1
    return ids


def train(
    settings: CompletionTraining, model: Completion, tokens: list[TokenSet], validation: TokenSet
) -> tuple[Completion, Run]:
    """Train until the budget is spent.

    Parameters
    ----------
    settings : CompletionTraining
        Settings.
    model : Completion
        Where to start, see `start_from_codes`.
    tokens, validation : list of TokenSet, TokenSet
        Training data, and data to watch.
    """
    set_up(settings.seed, settings.threads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.peak_rate, betas=(0.9, 0.98), weight_decay=0.02)
    run = Run(settings.work, settings.budget, {"model": model, "optimizer": optimizer})
    run.resume()
    rng = np.random.default_rng([settings.seed, run.step])
    group_map, grid = default_group_map()
    total, right, n_steps = 0.0, 0.0, 0
    while run.set_rate(optimizer) < 1:
        part = tokens[int(rng.integers(len(tokens)))]
        indices = rng.integers(len(part), size=settings.batch)
        truth = part.token_ids[indices].astype(np.int64)
        previous = previous_states(part, indices, rng)
        if rng.random() < settings.own_share:
            previous = _own_states(model, part, indices, previous, rng, group_map, grid)
        received = receive(rng, truth, erasures(rng, len(truth), group_map, grid), model.config.vocab_size)
        asked = torch.from_numpy(received.erased | (rng.random(truth.shape) < 0.05))
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = model.hidden(*as_tensors(received), torch.from_numpy(previous))
            logits = model.logits(*(each[asked] for each in features))
        target = torch.from_numpy(truth)[asked]
        loss = F.cross_entropy(logits, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.step += 1
        total, n_steps = total + float(loss.detach()), n_steps + 1
        right += float((logits.detach().argmax(-1) == target).float().mean())
        if run.step % 100 == 0:
            run.log(progress=run.progress, loss=total / n_steps, right=right / n_steps)
            total, right, n_steps = 0.0, 0.0, 0
        if run.step % 1000 == 0:
            run.log(validation=restoration(model, validation, rate=0.3, seed=0, limit=60))
            run.log(validation_doubted=restoration(model, validation, rate=0.3, seed=0, limit=60, doubted=True))
        run.save(every_s=60)
    run.save()
    return model.eval(), run


def _own_states(model, part, indices, previous, rng, group_map, grid):
    before = part.earlier(indices, 1)
    truth = part.token_ids[np.where(before >= 0, before, indices)].astype(np.int64)
    received = receive(rng, truth, erasures(rng, len(truth), group_map, grid), model.config.vocab_size)
    model.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state, _ = complete(model, *as_tensors(received), torch.from_numpy(previous))
    return np.where((before >= 0)[:, None], state.numpy().astype(np.int64), -1)


def restoration(
    model: Completion,
    tokens: TokenSet,
    rate: float,
    seed: int,
    limit: int | None = None,
    by_group: bool = False,
    doubted: bool = False,
) -> dict:
    """Share of erased tokens restored exactly when a twin runs through whole sequences with losses in every frame.

    Parameters
    ----------
    model : Completion
        The model.
    tokens : TokenSet
        Sequences.
    rate : float
        Share of erased tokens, or of lost groups if `by_group`.
    seed : int
        Seed of the erasures.
    limit : int, optional
        Use at most so many frames of each sequence.
    by_group : bool
        Erase whole groups of the mode table instead of single tokens.
    doubted : bool
        Erased tokens are known with doubt, as `tokenlink.train.twist.link_damage.doubt` draws them,
        instead of not at all.

    Returns
    -------
    dict
        Shares over the frames after the first of each sequence: `model` with its own previous states, `context_only`
        without any, `copy_previous` of the twin's last state (filled by copying); the first and the last again over
        the tokens that differ from the frame before (`..._where_changed`); `doubted_right`, of the doubted tokens as
        they were received; and `frames`.
    """
    group_map, _ = default_group_map()
    n_groups = int(group_map.max()) + 1
    model.eval()
    length = [min(end - start, limit or end - start) for start, end in tokens.spans]
    n_sequences, n_tokens = len(length), tokens.token_ids.shape[1]
    state = np.full((n_sequences, n_tokens), -1, np.int64)
    copied = state.copy()
    bits = max(1, (model.config.vocab_size - 1).bit_length())
    hits = {"model": 0, "context_only": 0, "copy_previous": 0, "doubted_right": 0}
    changed_hits = {"model_where_changed": 0, "copy_where_changed": 0}
    n_erased, n_changed, n_frames = 0, 0, 0
    draws = [np.random.default_rng([seed, i]) for i in range(n_sequences)]
    for t in range(max(length)):
        live = np.array([i for i in range(n_sequences) if t < length[i]])
        truth = np.stack([tokens.token_ids[tokens.spans[i][0] + t] for i in live]).astype(np.int64)
        if by_group:
            erased = np.stack([(draws[i].random(n_groups) < rate)[group_map] for i in live])
        else:
            erased = np.stack([draws[i].random(n_tokens) < rate for i in live])
        told, confidence = np.where(erased, -1, truth), np.where(erased, 0.0, 0.999)
        if doubted:
            drawn = [doubt(draws[i], row[None], bits, 0.0) for i, row in zip(live, truth, strict=True)]
            ids, sure = (np.concatenate(each) for each in zip(*drawn, strict=True))
            told, confidence = np.where(erased, ids, truth), np.where(erased, sure, 0.999)
        given = as_tensors(Received(told.clip(0), erased, confidence.astype(np.float32)))
        said, _ = complete(model, *given, torch.from_numpy(state[live]))
        alone, _ = complete(model, *given)
        state[live] = said.numpy()
        copied[live] = np.where(erased, copied[live], truth)
        if t > 0:
            n_erased, n_frames = n_erased + int(erased.sum()), n_frames + len(live)
            said_by = {"model": state[live], "context_only": alone.numpy(), "copy_previous": copied[live]}
            for name, ids in {**said_by, "doubted_right": told}.items():
                hits[name] += int(((ids == truth) & erased).sum())
            before = np.stack([tokens.token_ids[tokens.spans[i][0] + t - 1] for i in live])
            changed = erased & (before != truth)
            n_changed += int(changed.sum())
            for name, ids in zip(changed_hits, (state[live], copied[live]), strict=True):
                changed_hits[name] += int(((ids == truth) & changed).sum())
    shares = {name: n / max(n_erased, 1) for name, n in hits.items()}
    shares.update({name: n / max(n_changed, 1) for name, n in changed_hits.items()})
    return {**shares, "frames": n_frames}
