# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the tokenizer: pictures through 1024 codes and back, with a task term and a term against flicker.

First the codes are left out, so that encoder and decoder agree on a continuous language; then k-means over what the
encoder says starts the codebook, and everything goes through the codes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.head import HeadConfig, TrafficHead, TrafficLogits, read_state, traffic_loss
from tokenlink.models.tokenizer import Tokenizer, TokenizerConfig, codebook_usage
from tokenlink.train.frames import Batch, FrameStore, count_files, read_pictures, with_pictures
from tokenlink.train.run import Budget, Run, set_up
from tokenlink.train.scores import flicker, traffic_scores
from tokenlink.train.team import Team
from tokenlink.train.tokens import tokenize_span


@dataclass(frozen=True)
class TokenizerTraining:
    """Settings of a training run.

    Parameters
    ----------
    train, validation : Path
        Folders of rendered frames.
    work : Path
        Folder of checkpoint and log.
    real : tuple of Path
        Folders of real pictures without labels; one of them joins every step, for looks the renderer does not have.
    minutes, steps : float, int
        Budget; 0 means that only the other counts.
    batch : int
        Frames per step and process, `jittered` of them copies with noise.
    jittered : int
        Copies per step, for the term against flicker.
    continuous_share : float
        Share of the budget before the codes come in.
    peak_rate : float
        Largest learning rate.
    object_weight : float
        Extra weight of pixels of large road users; small ones get up to three times as much.
    task_weight, steady_weight, commitment_weight : float
        Weights of the terms next to the reconstruction.
    processes : int
        Processes that each take `batch` frames per step and share their gradients; one thread each.
    seed : int
        Seed of everything random.
    """

    train: Path
    validation: Path
    work: Path
    real: tuple[Path, ...] = ()
    minutes: float = 45.0
    steps: int = 0
    batch: int = 8
    processes: int = 2
    jittered: int = 1
    continuous_share: float = 0.12
    peak_rate: float = 1.5e-3
    object_weight: float = 3.0
    task_weight: float = 0.06
    steady_weight: float = 0.2
    commitment_weight: float = 4.0
    seed: int = 1


def reconstruction_loss(said: torch.Tensor, image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted error of a picture: values, edges at two scales, and how much edge there is per 8 x 8 pixels.

    Parameters
    ----------
    said, image : float32 [batch, 3, height, width]
        Decoded and true picture.
    weight : float32 [batch, 1, height, width]
        Weight of each pixel.
    """
    loss = ((said - image).abs() * weight).mean()
    energy = []
    for scale in (1, 2):
        if scale > 1:
            said, image, weight = (F.avg_pool2d(x, scale) for x in (said, image, weight))
        across = [x[..., 1:] - x[..., :-1] for x in (said, image)]
        down = [x[..., 1:, :] - x[..., :-1, :] for x in (said, image)]
        loss = loss + ((across[0] - across[1]).abs() * weight[..., 1:]).mean()
        loss = loss + ((down[0] - down[1]).abs() * weight[..., 1:, :]).mean()
        if scale == 2:
            for pair in (across, down):
                energy.append([F.avg_pool2d(x.abs(), 4, ceil_mode=True) for x in pair])
    for said_energy, true_energy in energy:
        loss = loss + 0.5 * (said_energy - true_energy).abs().mean()
    return loss


def task_loss(logits: TrafficLogits, batch: Batch) -> torch.Tensor:
    """Presence, density, cells covered, and centres per cell (Poisson), mean over the batch."""
    state = traffic_loss(logits, batch.labels[:, 0], batch.labels[:, 1], batch.labels[:, 2], vru_weight=1.5).mean()
    balance = torch.tensor([2.0, 4.0]).view(2, 1, 1)
    cells = F.binary_cross_entropy_with_logits(logits.cells, batch.cells, pos_weight=balance, reduction="none")
    centres = logits.counts - batch.counts * torch.log(logits.counts + 1e-4)
    return state + (cells.sum((1, 2, 3)) / 16).mean() + (centres.sum((1, 2, 3)) / 4).mean()


def jitter(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same picture as another exposure would give it: a little noise, a little brighter or darker."""
    noise = torch.randn(image.shape, generator=generator) * 0.012
    gain = 1 + 0.06 * (torch.rand((len(image), 1, 1, 1), generator=generator) - 0.5)
    return (image * gain + noise).clamp(0, 1)


@torch.no_grad()
def evaluate(model: Tokenizer, head: TrafficHead | None, store: FrameStore, indices: np.ndarray) -> dict:
    """PSNR, L1 error, codebook use and, with a head, traffic scores on the given frames."""
    model.eval()
    squared, absolute, token_ids, states = [], [], [], []
    for start in range(0, len(indices), 8):
        chosen = indices[start : start + 8]
        image = store.batch(chosen).image
        ids = model.encode(image)
        said = model.decode(ids)
        squared += ((said - image) ** 2).mean((1, 2, 3)).tolist()
        absolute += (said - image).abs().mean((1, 2, 3)).tolist()
        token_ids.append(ids.numpy())
        if head is not None:
            state = read_state(head.eval(), model.embed(ids).flatten(1, 2))
            states.append(torch.stack([state["car"].long(), state["vru"].long(), state["density"]], dim=1).numpy())
    scores = {"psnr_db": float(-10 * np.log10(np.maximum(squared, 1e-9)).mean()), "l1": float(np.mean(absolute))}
    scores.update(codebook_usage(np.concatenate(token_ids), model.config.vocab_size))
    if states:
        scores.update(traffic_scores(store.labels[indices], np.concatenate(states)))
    return scores


def spread_indices(store: FrameStore, n: int) -> np.ndarray:
    """About n frames, evenly over the store."""
    return np.unique(np.linspace(0, len(store) - 1, min(n, len(store))).astype(int))


def flicker_of(model: Tokenizer, store: FrameStore, margin: float | None = None, n_per_file: int = 120) -> dict:
    """Token changes from frame to frame over the first frames of every file, see `scores.flicker`."""
    parts = []
    for first, last in store.spans:
        last = min(last, first + n_per_file)
        images = np.stack([store.image(i) for i in range(first, last)])
        parts.append((last - first - 1, flicker(images, tokenize_span(model, store, first, last, margin=margin))))
    still = sum(part["unchanged_patches"] for _, part in parts)
    changed = sum(part["flicker"] * part["unchanged_patches"] for _, part in parts if part["unchanged_patches"])
    weight = sum(n for n, _ in parts)
    return {
        "flicker": changed / still if still else None,
        "unchanged_patches": still,
        "token_change": sum(n * part["token_change"] for n, part in parts) / max(weight, 1),
    }


def train(settings: TokenizerTraining) -> tuple[Tokenizer, TrafficHead, Run]:
    """Train until the budget is spent; continues from a checkpoint in the working folder."""
    team = Team(0, settings.processes, settings.work)
    helpers = torch.multiprocessing.spawn(
        _help, (settings,), nprocs=settings.processes - 1, join=False
    ) if settings.processes > 1 else None
    result = _train(settings, team)
    if helpers is not None:
        helpers.join()
    return result


def _help(index: int, settings: TokenizerTraining) -> None:
    _train(settings, Team(index + 1, settings.processes, settings.work))


def _train(settings: TokenizerTraining, team: Team):
    set_up(settings.seed, threads=1 if team.size > 1 else 2)
    store, validation = FrameStore(settings.train), FrameStore(settings.validation)
    model = Tokenizer(TokenizerConfig()).to(memory_format=torch.channels_last)
    head = TrafficHead(HeadConfig(dim_embedding=model.config.dim_coarse)).to(memory_format=torch.channels_last)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.peak_rate, betas=(0.9, 0.98), weight_decay=0.01)
    budget = Budget(settings.steps, settings.minutes, settings.peak_rate)
    run = Run(settings.work, budget, {"model": model, "head": head, "optimizer": optimizer})
    run.extra = {"codes": False}
    resumed = run.resume()
    team.start()
    rng = np.random.default_rng([settings.seed, run.step, team.rank])
    generator = torch.Generator().manual_seed(1000 * settings.seed + run.step + team.rank)
    if team.leads:
        print(f"{len(store)} frames in {len(store.names)} files, resumed: {resumed}", flush=True)
    weights = store.sampling_weights()
    real = read_pictures(settings.real) if settings.real else None
    shown = spread_indices(validation, 160)
    sums: dict[str, float] = {}
    while (progress := team.agree(run.progress)) < 1:
        run.set_rate(optimizer, progress)
        if run.step % 500 == 499 and count_files(settings.train) > len(store.names):
            store = FrameStore(settings.train)
            weights = store.sampling_weights()
        if not run.extra["codes"] and progress >= settings.continuous_share:
            if team.leads:
                _start_codebook(model, store, rng)
            team.share(model.quantizer.buffers())
            run.extra["codes"] = True
        drawn = rng.choice(len(store), settings.batch - settings.jittered, p=weights)
        batch = store.batch(drawn, rng)
        if real is not None and team.leads:
            batch = with_pictures(batch, real[rng.integers(len(real), size=1)])
        terms = _step(model, head, batch, settings, run.extra["codes"], generator)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        team.average([p.grad for p in parameters if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if run.extra["codes"]:
            _average_codebook(model, team)
        run.step += 1
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if not team.leads:
            continue
        if run.step % 100 == 0:
            run.log(progress=progress, frames=len(store), **{name: value / 100 for name, value in sums.items()})
            sums = {}
        if run.extra["codes"] and run.step % 1000 == 0:
            run.log(validation=evaluate(model, head, validation, shown))
        run.save(every_s=120)
    if team.leads:
        run.save()
    team.stop()
    return model.eval(), head.eval(), run


def _average_codebook(model: Tokenizer, team: Team) -> None:
    codebook = model.quantizer._codebook
    if team.size > 1:
        team.average([codebook.embed_avg, codebook.cluster_size, codebook.embed])
        codebook.embed.copy_(F.normalize(codebook.embed, dim=-1))


def _step(model, head, batch, settings, codes, generator):
    model.train()
    head.train()
    n_copies = settings.jittered
    image = torch.cat([batch.image, jitter(batch.image[:n_copies], generator)])
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(image, quantize=codes, n_decoded=len(batch.image))
        logits = head(output.embeddings[: len(batch.labels)].flatten(1, 2))
    weight = 1 + settings.object_weight * batch.objects
    alike = (output.vectors[:n_copies] * output.vectors[len(batch.image) :]).sum(-1)
    logits = TrafficLogits(*(value.float() for value in vars(logits).values()))
    return {
        "reconstruction": reconstruction_loss(output.image, batch.image, weight),
        "task": settings.task_weight * task_loss(logits, batch),
        "steady": settings.steady_weight * (1 - alike).mean(),
        "commitment": settings.commitment_weight * output.commitment,
    }


@torch.no_grad()
def _start_codebook(model, store, rng):
    model.eval()
    vectors = []
    for _ in range(16):
        batch = store.batch(rng.integers(len(store), size=8), rng)
        vectors.append(F.normalize(model.quantizer.project_in(model.features(batch.image)), dim=-1).flatten(0, 2))
    model.set_codebook(torch.cat(vectors).contiguous())
    model.train()


def load_task_head(work: Path, config: TokenizerConfig) -> TrafficHead:
    """The head that was trained along with the tokenizer, or a new one where its checkpoint is gone."""
    head = TrafficHead(HeadConfig(config.vocab_size, *config.grid, dim_embedding=config.dim_coarse))
    path = Path(work) / "checkpoint.pt"
    if path.exists():
        head.load_state_dict(torch.load(path, weights_only=True)["head"])
    return head
