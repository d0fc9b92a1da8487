# SPDX-License-Identifier: GPL-3.0-or-later
"""From a finished training to an artifact: measure on validation and held-out sequences, describe, save."""

from pathlib import Path

import numpy as np
import torch

from tokenlink.models import artifact
from tokenlink.models.twist.completion import Completion, complete
from tokenlink.models.twist.head import TrafficHead
from tokenlink.models.twist.predictor import Predictor, from_completion
from tokenlink.models.twist.tokenizer import Tokenizer
from tokenlink.train.twist import foresight_scores
from tokenlink.train.twist.completion import as_tensors, restoration
from tokenlink.train.twist.frame_store import ORIGIN, FrameStore
from tokenlink.train.twist.head import head_logits, said_states
from tokenlink.train.twist.link_damage import Received
from tokenlink.train.twist.predictor import lessons_at
from tokenlink.train.twist.scores import traffic_scores
from tokenlink.train.twist.token_sets import TokenSet, code_embeddings
from tokenlink.train.twist.tokenizer_scores import evaluate, flicker_of, spread_indices
from tokenlink.train.twist.twin_states import run_twins

EVALUATION_SEED = 7
TRACKS = "tracks_"
INVENTED = "invented scenes"


def describe(command: str, run, **more) -> dict:
    """Where weights come from: the command, steps and minutes, and whatever else is given, such as `data_origin`."""
    return {
        "training_command": command,
        "steps": run.step,
        "minutes": round(run.elapsed_s / 60, 1),
        **more,
    }


def origin_of(names: list[str]) -> str:
    """Origin of rendered sequences by their names."""
    from_tracks = [name.startswith(TRACKS) for name in names]
    return " and ".join([ORIGIN] * any(from_tracks) + [INVENTED] * (not all(from_tracks)))


def measured_part(names: list[str]) -> str:
    """Prefix of the sequences to measure on: those from tracks where there are any, as origins are never mixed."""
    return TRACKS if any(name.startswith(TRACKS) for name in names) else ""


def measured_on(names: list[str], frames: int) -> dict:
    """What a metric was measured on."""
    return {"origin": origin_of(names), "sequences": names, "frames": frames, "seed": EVALUATION_SEED}


def tokenizer_metrics(model: Tokenizer, frames: Path, n_pictures: int = 300) -> dict:
    """PSNR on some frames, codebook use and flicker on `measured_part` of the sequences."""
    store = FrameStore(frames, prefix=measured_part([path.stem for path in frames.glob("*.npy")]))
    indices = spread_indices(store, n_pictures)
    scores = {**evaluate(model, None, store, indices), **flicker_of(model, store)}
    scores["without_holding"] = flicker_of(model, store, margin=-1.0)
    return {**measured_on(store.names, len(indices)), **scores}


def head_metrics(model: TrafficHead, embeddings: torch.Tensor, tokens: TokenSet) -> dict:
    """Traffic scores on clean tokens of `measured_part` of the sequences, together and one by one."""
    tokens = tokens.only(measured_part(tokens.names))
    said = said_states(head_logits(model, embeddings, tokens.token_ids))
    each = {
        name: traffic_scores(tokens.labels[first:last], said[first:last])
        for name, (first, last) in zip(tokens.names, tokens.spans, strict=True)
    }
    return {
        **measured_on(tokens.names, len(tokens)),
        **traffic_scores(tokens.labels, said),
        "by_sequence": each,
    }


def completion_metrics(
    model: Completion,
    tokens: TokenSet,
    head: TrafficHead | None = None,
    embeddings: torch.Tensor | None = None,
    limit: int = 150,
) -> dict:
    """Restored share at several losses against copying and context alone; traffic scores after completion.

    Every sequence is run from its start for at most `limit` frames.
    """
    tokens = tokens.only(measured_part(tokens.names)).beginnings(limit)
    metrics = measured_on(tokens.names, len(tokens))
    for rate in (0.1, 0.3, 0.6):
        metrics[f"restored_at_{rate}"] = restoration(model, tokens, rate, EVALUATION_SEED)
    metrics["restored_groups_at_0.5"] = restoration(model, tokens, 0.5, EVALUATION_SEED, by_group=True)
    metrics["restored_doubted_groups_at_0.5"] = restoration(
        model, tokens, 0.5, EVALUATION_SEED, by_group=True, doubted=True
    )
    at_30 = metrics["restored_at_0.3"]
    metrics["margin_over_copy_at_0.3"] = at_30["model"] - at_30["copy_previous"]
    if head is not None:
        metrics["traffic_at_0.3"] = _traffic_with_losses(model, tokens, head, embeddings, 0.3)
        metrics["traffic_at_0.3_copying"] = _traffic_with_losses(None, tokens, head, embeddings, 0.3)
        metrics["traffic_clean"] = traffic_scores(
            tokens.labels, said_states(head_logits(head, embeddings, tokens.token_ids))
        )
    return metrics


@torch.no_grad()
def _traffic_with_losses(model, tokens, head, embeddings, rate):
    rng = np.random.default_rng(EVALUATION_SEED)
    filled = tokens.token_ids.astype(np.int64).copy()
    for first, last in tokens.spans:
        state = np.full((1, filled.shape[1]), -1, np.int64)
        for t in range(first, last):
            truth = filled[t : t + 1].copy()
            erased = rng.random(truth.shape) < rate
            if model is None:
                state = np.where(erased, state.clip(0), truth)
            else:
                received = Received(truth, erased, np.where(erased, 0.0, 0.999).astype(np.float32))
                said, _ = complete(model, *as_tensors(received), torch.from_numpy(state))
                state = said.numpy().astype(np.int64)
            filled[t] = state[0]
    return traffic_scores(tokens.labels, said_states(head_logits(head, embeddings, filled)))


def ship_tokenizer(model, run, command, validation: Path, test: Path, root: Path, **more) -> dict:
    """Measure and save the tokenizer; returns the metrics."""
    metrics = {"validation": tokenizer_metrics(model, validation), "test": tokenizer_metrics(model, test)}
    artifact.save_artifact("tokenizer", model, describe(command, run, **more), metrics, root)
    return metrics


def ship_head(model, run, command, tokenizer, validation: TokenSet, test: TokenSet, root: Path, **more) -> dict:
    """Measure and save the head; returns the metrics."""
    embeddings = code_embeddings(tokenizer)
    sets = (("validation", validation), ("test", test))
    metrics = {name: head_metrics(model, embeddings, tokens) for name, tokens in sets}
    artifact.save_artifact("head", model, describe(command, run, **more), metrics, root)
    return metrics


def ship_completion(
    model, run, command, tokenizer, head, validation: TokenSet, test: TokenSet, root: Path, **more
) -> dict:
    """Measure and save the completion model; returns the metrics."""
    embeddings = code_embeddings(tokenizer)
    sets = (("validation", validation), ("test", test))
    metrics = {name: completion_metrics(model, tokens, head, embeddings) for name, tokens in sets}
    artifact.save_artifact("completion", model, describe(command, run, **more), metrics, root)
    return metrics


class ForesightMeter:
    """Calibrates a predictor, and the completion model as one, on validation data, and measures both elsewhere.

    Parameters
    ----------
    model : Predictor
        Trained; it is calibrated in place.
    completion : Completion
        Of the same twin.
    validation : TokenSet
        Data to calibrate on.
    limit : int
        Every sequence is run from its start for at most so many frames.
    """

    def __init__(self, model: Predictor, completion: Completion, validation: TokenSet, limit: int = 150):
        self._completion, self._limit = completion, limit
        self.models = {"predictor": model, "completion": from_completion(completion)}
        validation = self._measured(validation)
        own = run_twins(model, completion, validation, EVALUATION_SEED)
        for each in self.models.values():
            foresight_scores.calibrate(each, foresight_scores.calibration_lessons(validation, own))
        self._copying = {
            name: foresight_scores.Copying(lessons, model.config.vocab_size)
            for name, (lessons, _) in _foretold(validation, own).items()
        }

    def metrics(self, tokens: TokenSet, folder: Path) -> dict:
        """Bits a token given perfect states and the twin's own, fresh and stale; frames of `folder` tell the speed."""
        tokens = self._measured(tokens)
        own = run_twins(self.models["predictor"], self._completion, tokens, EVALUATION_SEED)
        speeds, results = foresight_scores.ego_speeds(folder, tokens), measured_on(tokens.names, len(tokens))
        for name, (lessons, frames) in _foretold(tokens, own).items():
            of_frames = None if speeds is None else speeds[frames]
            results[name] = foresight_scores.foresight(self.models, self._copying[name], lessons, of_frames)
        return results

    def _measured(self, tokens):
        return tokens.only(measured_part(tokens.names)).beginnings(self._limit)


def _foretold(tokens, own):
    """Lessons by name, and the frames they are about: every second one."""
    frames = {age: foresight_scores.foretold_frames(tokens, 2, age) for age in (1, 5, 10)}
    kinds = [("perfect_state", None, 1), *((f"own_state_age_{age}", own, age) for age in frames)]
    return {name: (lessons_at(tokens, twins, frames[age], age), frames[age]) for name, twins, age in kinds}


def ship_predictor(model, run, command, completion, validation, test, folders, root: Path, **more) -> dict:
    """Calibrate on validation, measure and save the predictor; `folders` are those of both splits' frames."""
    meter = ForesightMeter(model, completion, validation)
    pairs = zip(("validation", "test"), (validation, test), folders, strict=True)
    metrics = {name: meter.metrics(tokens, folder) for name, tokens, folder in pairs}
    artifact.save_artifact("predictor", model, describe(command, run, **more), metrics, root)
    return metrics
