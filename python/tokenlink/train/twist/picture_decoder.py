# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the decoder further while the codes stand still: better pictures, same tokens, nothing else changes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tokenlink.models.twist.tokenizer import Tokenizer
from tokenlink.train.training_run import Budget, Run, set_up
from tokenlink.train.twist.frame_store import FrameStore, read_pictures
from tokenlink.train.twist.terms import reconstruction_loss
from tokenlink.train.twist.token_sets import TokenSet, code_embeddings


@dataclass(frozen=True)
class DecoderTraining:
    """Settings of a training run.

    Parameters
    ----------
    frames : Path
        Folder of rendered frames.
    work : Path
        Folder of checkpoint and log.
    real : tuple of Path
        Folders of real pictures; one of them joins every step.
    minutes, steps : float, int
        Budget; 0 means that only the other counts.
    batch : int
        Frames per step.
    peak_rate : float
        Largest learning rate.
    object_weight : float
        Extra weight of pixels of large road users; small ones get up to three times as much.
    seed, threads : int
        Seed of everything random, and threads of torch.
    """

    frames: Path
    work: Path
    real: tuple[Path, ...] = ()
    minutes: float = 15.0
    steps: int = 0
    batch: int = 8
    peak_rate: float = 8e-4
    object_weight: float = 3.0
    seed: int = 4
    threads: int = 1


def train(settings: DecoderTraining, model: Tokenizer, tokens: TokenSet) -> tuple[Tokenizer, Run]:
    """Train the decoder until the budget is spent.

    Parameters
    ----------
    settings : DecoderTraining
        Settings.
    model : Tokenizer
        The tokenizer, whose encoder and codes stay as they are.
    tokens : TokenSet
        Tokens of the rendered frames, in the order of the folder.
    """
    set_up(settings.seed, settings.threads)
    store = FrameStore(settings.frames)
    if store.names != tokens.names or len(store) != len(tokens):
        raise ValueError(f"{len(tokens)} frames have tokens, {len(store)} are in {settings.frames}: tokenize again")
    embeddings = code_embeddings(model)
    pictures = read_pictures(settings.real) if settings.real else None
    optimizer = torch.optim.AdamW(model.decoder.parameters(), lr=settings.peak_rate, weight_decay=0.01)
    budget = Budget(settings.steps, settings.minutes, settings.peak_rate)
    run = Run(settings.work, budget, {"decoder": model.decoder, "optimizer": optimizer})
    run.resume()
    model.requires_grad_(False).eval()
    model.decoder.requires_grad_(True)
    rng = np.random.default_rng([settings.seed, run.step])
    weights, total = store.sampling_weights(), 0.0
    while run.set_rate(optimizer) < 1:
        indices = rng.choice(len(store), settings.batch, p=weights)
        batch = store.batch(indices)
        ids = torch.from_numpy(tokens.token_ids[indices].astype(np.int64))
        image, weight = batch.image, 1 + settings.object_weight * batch.objects
        if pictures is not None:
            real = torch.from_numpy(pictures[rng.integers(len(pictures), size=1)]).permute(0, 3, 1, 2).float() / 255
            ids = torch.cat([ids, model.encode(real).flatten(1).long()])
            image, weight = torch.cat([image, real]), torch.cat([weight, torch.ones_like(weight[:1])])
        maps = embeddings[ids].unflatten(1, model.config.grid).permute(0, 3, 1, 2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = model.decoder(maps).float() * 0.5 + 0.5
        loss = reconstruction_loss(said, image, weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        optimizer.step()
        run.step += 1
        total += float(loss.detach())
        if run.step % 100 == 0:
            run.log(progress=run.progress, loss=total / 100)
            total = 0.0
        run.save(every_s=60)
    run.save()
    return model.requires_grad_(True), run
