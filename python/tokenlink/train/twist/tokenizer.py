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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tokenlink.models import artifact
from tokenlink.models.twist.head import HeadConfig, TrafficHead, TrafficLogits
from tokenlink.models.twist.tokenizer import DEEP, Tokenizer, TokenizerConfig
from tokenlink.train.team import Team
from tokenlink.train.training_run import Budget, Run, set_up
from tokenlink.train.twist.frame_store import FrameStore, count_files
from tokenlink.train.twist.linear_start import start_linear
from tokenlink.train.twist.terms import jitter, reconstruction_loss, task_loss
from tokenlink.train.twist.tokenizer_scores import evaluate, real_scores, spread_indices
from tokenlink.train.twist.worlds import Worlds, held_out_pictures


@dataclass(frozen=True)
class TokenizerTraining:
    """Settings of a training run.

    Parameters
    ----------
    train, validation : Path
        Folders of rendered frames.
    work : Path
        Folder of checkpoint and log.
    real, textures : tuple of Path
        Folders of real driving pictures, and of pictures of anything, see `tokenlink.train.twist.worlds`.
    minutes, steps : float, int
        Budget; 0 means that only the other counts.
    batch : int
        Pictures per step and process: rendered frames, `n_real` real ones, `n_textures` of anything, `jittered` copies.
    n_real, n_textures : int
        Real pictures and textures per step and process, where there are folders of them.
    jittered : int
        Copies with noise, for the term against flicker.
    linear_batches : int
        Batches from which the linear maps and codes of the residual design are computed.
    continuous_steps : int
        Steps before the codes come in, in the other designs.
    decay_share : float
        Share of the budget in which the learning rate falls, at the end.
    average : float
        Share that the mean of the weights keeps of itself in each step; the mean is what is measured and saved.
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
    config : TokenizerConfig
        Sizes of a new tokenizer.
    start : Path, optional
        Folder of artifacts whose tokenizer and head are trained further, instead of new ones.
    """

    train: Path
    validation: Path
    work: Path
    real: tuple[Path, ...] = ()
    textures: tuple[Path, ...] = ()
    minutes: float = 45.0
    steps: int = 0
    batch: int = 8
    n_real: int = 2
    n_textures: int = 1
    processes: int = 2
    jittered: int = 1
    linear_batches: int = 60
    continuous_steps: int = 600
    decay_share: float = 0.5
    average: float = 0.999
    peak_rate: float = 1.5e-3
    object_weight: float = 3.0
    task_weight: float = 0.06
    steady_weight: float = 0.2
    commitment_weight: float = 4.0
    seed: int = 1
    config: TokenizerConfig = DEEP
    start: Path | None = None


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
    learner = _Learner(settings, team)
    run, source, log = learner.run, _Source(settings, learner.run, team), _Log(settings, learner, team)
    while (progress := team.agree(run.progress)) < 1:
        run.set_rate(learner.optimizer, progress)
        linear = settings.config.design == "residual"  # has codes to begin with
        if not run.extra["codes"] and (linear or run.step >= settings.continuous_steps):
            learner.start_codes(source.batch)
        terms = learner.step(source.batch())
        if team.leads:
            log.add(terms, progress)
            run.save(every_s=120)
    if team.leads:
        run.save()
    team.stop()
    return learner.mean().eval(), learner.head.eval(), run


class _Source:
    """Training batches, of frames that may become more while a training runs."""

    def __init__(self, settings, run, team):
        self._settings, self._run = settings, run
        self._rng = np.random.default_rng([settings.seed, run.step, team.rank])
        self._open()

    def _open(self):
        settings = self._settings
        self._worlds = Worlds(FrameStore(settings.train), settings.real, settings.textures)
        self._opened_at = self._run.step

    def batch(self):
        settings, store = self._settings, self._worlds.store
        if self._run.step >= self._opened_at + 500 and count_files(settings.train) > len(store.names):
            self._open()
        n_real = settings.n_real if settings.real else 0
        n_textures = settings.n_textures if settings.textures else 0
        n = settings.batch - settings.jittered - n_real - n_textures
        return self._worlds.batch(self._rng, n, n_real, n_textures)


class _Learner:
    """Model, task head, their mean, and what changes them."""

    def __init__(self, settings, team):
        self._settings, self._team = settings, team
        self.model, self.head = (model.to(memory_format=torch.channels_last) for model in _models(settings))
        self._mean = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True
        )
        self._parameters = [*self.model.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(
            _groups(self.model, self.head), settings.peak_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        budget = Budget(settings.steps, settings.minutes, settings.peak_rate, decay_share=settings.decay_share)
        state = {"model": self.model, "head": self.head, "optimizer": self.optimizer, "mean": self._mean}
        self.run = Run(settings.work, budget, state)
        self.run.extra = {"codes": settings.start is not None}
        self.run.resume()
        team.start()
        self._generator = torch.Generator().manual_seed(1000 * settings.seed + self.run.step + team.rank)

    def step(self, batch):
        """One step of the optimizer; returns the terms of the loss."""
        codes = self.run.extra["codes"]
        terms = _terms(self.model, self.head, batch, self._settings, codes, self._generator)
        self.optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        self._team.average([p.grad for p in self._parameters if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self.optimizer.step()
        if codes:
            _average_codebook(self.model, self._team)
        self._mean.update_parameters(self.model)
        self.run.step += 1
        return terms

    @torch.no_grad()
    def start_codes(self, draw):
        """Let the codebook begin with what the encoder says of batches that `draw` gives."""
        if self._team.leads:
            if self.model.config.design == "residual":
                start_linear(self.model, [draw().image for _ in range(self._settings.linear_batches)])
            else:
                _start_codebook(self.model, [draw().image for _ in range(16)])
        self._team.share([*self.model.parameters(), *self.model.buffers()])
        self._mean.n_averaged.zero_()  # the mean begins anew
        self.run.extra["codes"] = True

    @torch.no_grad()
    def mean(self):
        """The tokenizer with the mean of its weights, of codes of length 1."""
        codes = self._mean.module.quantizer._codebook.embed
        codes.copy_(F.normalize(codes, dim=-1))
        return self._mean.module


class _Log:
    """Mean terms every 100 steps, scores on held-out pictures every 1000."""

    def __init__(self, settings, learner, team):
        self._learner, self._sums = learner, {}
        if team.leads:
            self._store = FrameStore(settings.validation)
            self._shown = spread_indices(self._store, 160)
            self._real = held_out_pictures(settings.real) if settings.real else None

    def add(self, terms, progress):
        run = self._learner.run
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        if run.step % 100 == 0:
            run.log(progress=progress, **{name: value / 100 for name, value in self._sums.items()})
            self._sums = {}
        if run.extra["codes"] and run.step % 1000 == 0:
            model = self._learner.mean()
            run.log(validation=evaluate(model, self._learner.head, self._store, self._shown))
            if self._real is not None:
                run.log(real=real_scores(model, self._real))


def _models(settings):
    """Tokenizer and task head to begin with."""
    if settings.start is not None:
        return artifact.load("tokenizer", settings.start), artifact.load("head", settings.start)
    return Tokenizer(settings.config), _new_head(settings.config)


def _groups(model, head):
    """Parameters of the optimizer: linear maps that were computed move a hundredth as fast as networks."""
    computed = ("encoder.linear.", "decoder.linear.", "quantizer.") if model.config.design == "residual" else ()
    slow = [value for name, value in model.named_parameters() if name.startswith(computed)] if computed else []
    fast = [value for name, value in model.named_parameters() if not (computed and name.startswith(computed))]
    return [{"params": [*fast, *head.parameters()]}, {"params": slow, "scale": 0.01, "weight_decay": 0.0}]


def _new_head(config):
    return TrafficHead(HeadConfig(config.vocab_size, *config.grid, dim_embedding=config.dim_coarse))


def _average_codebook(model: Tokenizer, team: Team) -> None:
    codebook = model.quantizer._codebook
    if team.size > 1:
        team.average([codebook.embed_avg, codebook.cluster_size, codebook.embed])
        codebook.embed.copy_(F.normalize(codebook.embed, dim=-1))


def _terms(model, head, batch, settings, codes, generator):
    model.train()
    head.train()
    n_copies = settings.jittered
    image = torch.cat([batch.seen, jitter(batch.image[:n_copies], generator)])
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
def _start_codebook(model, images):
    model.eval()
    said = [F.normalize(model.quantizer.project_in(model.features(image)), dim=-1).flatten(0, 2) for image in images]
    model.set_codebook(torch.cat(said).contiguous())
    model.train()


def load_task_head(work: Path, config: TokenizerConfig) -> TrafficHead:
    """The head that was trained along with the tokenizer, or a new one where its checkpoint is gone."""
    head = _new_head(config)
    path = Path(work) / "checkpoint.pt"
    if path.exists():
        head.load_state_dict(torch.load(path, weights_only=True)["head"])
    return head
