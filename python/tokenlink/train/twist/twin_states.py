# SPDX-License-Identifier: GPL-3.0-or-later
"""States as a twin really has them: sequences run over a link drawn at random, erasures filled, errors carried on.

The decoder is not run. A group's codeword fails or not; where it failed its bits have Gaussian, consistent LLRs, as in
`tokenlink.train.twist.link_damage.doubt`. They meet the twin's own prior, a threshold decides, and the completion model
fills what is left: so what is wrongly accepted is what was wrongly expected, as it is with priors in the loop.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tokenlink.files.writing import write_arrays
from tokenlink.models.twist.completion import Completion, complete
from tokenlink.models.twist.predictor import Predictor
from tokenlink.train.twist.link_damage import default_group_map
from tokenlink.train.twist.token_sets import TokenSet

BATCH = 16
FAILURES = (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)  # shares of groups whose codeword fails
THRESHOLDS = (0.5, 0.8, 0.9, 0.97, 0.99)
PRIOR_SHARE = 0.7  # of the stretches that are received with priors
STRETCH = 25  # frames for which a link stays of a kind, on average


@dataclass(frozen=True)
class TwinStates:
    """The twin's state after each frame of a TokenSet.

    Attributes
    ----------
    token_ids : int16 [n, n_tokens]
        The states, erased tokens filled in.
    sureness : float32 [n, n_tokens]
        The receiver's confidence where accepted, 0 where filled in.
    """

    token_ids: np.ndarray
    sureness: np.ndarray


@dataclass
class _Link:
    """What holds for a stretch: share of failing groups, threshold, whether the prior is used."""

    failures: float
    threshold: float
    with_prior: bool

    @staticmethod
    def draw(rng):
        return _Link(rng.choice(FAILURES), rng.choice(THRESHOLDS), rng.random() < PRIOR_SHARE)


def bit_signs(vocab_size: int) -> torch.Tensor:
    """+1 where a bit of a code is 0 and -1 where it is 1, float32 [bits, vocab_size], first bit the MSB."""
    bits = max(1, (vocab_size - 1).bit_length())
    places = torch.arange(bits - 1, -1, -1)
    return 1.0 - 2.0 * ((torch.arange(vocab_size)[None] >> places[:, None]) & 1).float()


@torch.no_grad()
def run_twins(model: Predictor, completion: Completion, tokens: TokenSet, seed: int) -> TwinStates:
    """Run a twin through every sequence.

    Parameters
    ----------
    model : Predictor
        What the twin expects of the next frame.
    completion : Completion
        What fills erased tokens.
    tokens : TokenSet
        Sequences as the camera's side has them.
    seed : int
        Of the link.
    """
    states, sureness = np.zeros_like(tokens.token_ids), np.zeros(tokens.token_ids.shape, np.float32)
    longest = sorted(tokens.spans, key=lambda span: span[0] - span[1])
    model.eval(), completion.eval()
    for first in range(0, len(longest), BATCH):
        spans = longest[first : first + BATCH]
        _run_together(model, completion, tokens, spans, np.random.default_rng([seed, first]), states, sureness)
    return TwinStates(states, sureness)


def kept_states(path: Path, model: Predictor, completion: Completion, tokens: TokenSet, seed: int) -> TwinStates:
    """As `run_twins`; kept in a file, and read from there the next time."""
    if not path.exists():
        states = run_twins(model, completion, tokens, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, {"token_ids": states.token_ids, "sureness": states.sureness})
    with np.load(path) as kept:
        return TwinStates(kept["token_ids"], kept["sureness"])


def _run_together(model, completion, tokens, spans, rng, states, sureness):
    """Run some sequences, the longest first, frame by frame; fills `states` and `sureness`."""
    links, signs, groups = [_Link.draw(rng) for _ in spans], bit_signs(model.config.vocab_size), default_group_map()[0]
    last = before = torch.full((len(spans), tokens.token_ids.shape[1]), -1)
    sure = torch.zeros(last.shape)
    for t in range(spans[0][1] - spans[0][0]):
        n = sum(end - start > t for start, end in spans)  # as the longest come first
        rows = [start + t for start, _ in spans[:n]]
        truth = torch.from_numpy(tokens.token_ids[rows].astype(np.int64))
        links = [_Link.draw(rng) if rng.random() < 1 / STRETCH else link for link in links[:n]]
        last, before, sure = last[:n], before[:n], sure[:n]
        logits = None
        if t > 0:
            logits = model(last, sure, before, torch.ones(n, dtype=torch.long))
            logits[[not link.with_prior for link in links]] = 0
        ids, erased, confidence = _received(rng, truth, links, logits, signs, groups)
        state, _ = complete(completion, ids, erased, confidence, last)
        before, last, sure = last, state.long(), torch.where(erased, 0, confidence)
        states[rows], sureness[rows] = last.numpy(), sure.numpy()


def _received(rng, truth, links, logits, signs, groups):
    """Tokens, erasures and confidences of frames int64 [n, n_tokens], each over its link."""
    n, n_bits = len(truth), len(signs)
    failures, thresholds = (torch.tensor([getattr(x, name) for x in links]) for name in ("failures", "threshold"))
    failed = torch.from_numpy(rng.random((n, int(groups.max()) + 1)))[:, groups] < failures[:, None]
    mu = torch.from_numpy(rng.uniform(0.1, 8.0, (n, int(groups.max()) + 1)))[:, groups, None]
    noise = torch.from_numpy(rng.standard_normal((*truth.shape, n_bits)))
    llr = (signs.T[truth] * mu + (2 * mu).sqrt() * noise).float()
    scores = 0.5 * llr @ signs + (0 if logits is None else logits.log_softmax(-1))
    confidence, ids = scores.softmax(-1).max(-1)
    clean = torch.from_numpy(1 - np.minimum(rng.exponential(1e-4, truth.shape), 0.01)).float()
    ids, confidence = torch.where(failed, ids, truth), torch.where(failed, confidence, clean)
    return ids, confidence < thresholds[:, None], confidence
