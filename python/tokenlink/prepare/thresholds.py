# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds of the gate: what the twin loses after transmission, gate and completion, and the search for the least."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.gating import gate
from tokenlink.models.twist.head import TrafficLogits, traffic_loss
from tokenlink.study.outcomes import Outcomes


@dataclass(frozen=True)
class Window:
    """A piece of a sequence as one mode delivers it over one channel.

    Attributes
    ----------
    sent : int32 [n_slots, n_tokens]
    labels : int64 [n_slots, 3]
    token_ids, confidence : int32, float32 [n_slots, n_tokens]   before the gate
    before : int32 [n_tokens]     the twin's state before the first slot, -1: none
    """

    sent: np.ndarray
    labels: np.ndarray
    token_ids: np.ndarray
    confidence: np.ndarray
    before: np.ndarray


def draw_windows(sequences, table, mode_id, mix, per_condition, n_slots, seed):
    """Windows at random places, the same number for each channel and Es/N0 of the mix, and the same for each mode.

    Parameters
    ----------
    sequences : list of Sequence   labelled
    table : ModeTable
    mode_id : int
    mix : Mix
    per_condition, n_slots : int
    seed : int

    Returns
    -------
    list of Window
    """
    rng = np.random.default_rng(seed)
    sizes = np.array([len(s) for s in sequences])
    windows = []
    for model, esn0_db, _ in product(mix.channels, mix.esn0_db, range(per_condition)):
        sequence = sequences[rng.choice(len(sequences), p=sizes / sizes.sum())]
        first = int(rng.integers(max(1, len(sequence) - n_slots + 1)))
        slots = slice(first, first + n_slots)
        sent = sequence.token_ids[slots].astype(np.int32)
        outcomes = Outcomes(sent, Channel(ChannelConfig(model, float(esn0_db)), int(rng.integers(2**31))), table)
        outcomes.compute(mode_id)
        received = [outcomes.get(slot, mode_id) for slot in range(len(sent))]
        before = sequence.token_ids[first - 1].astype(np.int32) if first else np.full(sent.shape[1], -1, np.int32)
        tokens, confidence = (np.stack(part) for part in zip(*received, strict=True))
        windows.append(Window(sent, sequence.labels[slots], tokens, confidence, before))
    return windows


class Rollouts:
    """What windows cost under any thresholds. What two of them have in common is computed once.

    Parameters
    ----------
    windows : list of Window
    group_map : int [n_tokens]
    complete : callable      as `models.inference.BatchModels.complete`
    read : callable          states int32 [n, n_tokens] -> logits float32 [n, 5] of car, VRU and density
    warm_up : int            slots at the beginning of each window that only set the state; the last one always counts
    """

    def __init__(self, windows, group_map, complete, read, warm_up=0):
        self.windows, self.group_map, self.warm_up = windows, np.asarray(group_map), warm_up
        self._complete, self._read = complete, read
        self._states, self._numbers, self._steps, self._logits, self._losses = [], {}, {}, [], {}
        self._starts = [self._number(window.before) for window in windows]

    def losses(self, candidates):
        """Application loss and mismatch under each vector of thresholds.

        Parameters
        ----------
        candidates : float [n, n_groups]

        Returns
        -------
        float64 [n, n_windows, 2]   mean over a window's frames of L_app and of the share of wrong tokens
        """
        thresholds = np.asarray(candidates, np.float32)[:, self.group_map]
        now = [list(self._starts) for _ in thresholds]
        sums, n_frames = np.zeros((len(thresholds), len(self.windows), 2)), np.zeros((len(self.windows), 1))
        for slot in range(max(len(window.sent) for window in self.windows)):
            alive = [w for w, window in enumerate(self.windows) if slot < len(window.sent)]
            keys = {}
            for c, w in product(range(len(thresholds)), alive):
                erased = gate(self.windows[w].confidence[slot], thresholds[c])
                keys[c, w] = (w, slot, now[c][w], np.packbits(erased).tobytes())
            self._take({key: None for key in keys.values() if key not in self._steps})
            for (c, w), key in keys.items():
                now[c][w] = self._steps[key]
            counted = [w for w in alive if slot >= min(self.warm_up, len(self.windows[w].sent) - 1)]
            self._judge({(w, slot, now[c][w]) for c, w in product(range(len(thresholds)), counted)})
            for c, w in product(range(len(thresholds)), counted):
                sums[c, w] += self._losses[w, slot, now[c][w]]
            n_frames[counted] += 1
        return sums / n_frames

    def _number(self, state):
        number = self._numbers.setdefault(state.tobytes(), len(self._states))
        if number == len(self._states):
            self._states.append(state)
            self._logits.append(None)
        return number

    def _take(self, keys):
        """Compute steps that are not known; those with erasures go through the completion model together."""
        holes = []
        for key in keys:
            w, slot, before, packed = key
            erased = np.unpackbits(np.frombuffer(packed, np.uint8), count=len(self.group_map)).astype(bool)
            window = self.windows[w]
            if erased.any():
                holes.append((key, window.token_ids[slot], erased, window.confidence[slot], self._states[before]))
            else:
                self._steps[key] = self._number(window.token_ids[slot])
        if holes:
            states = self._complete(*(np.stack(part) for part in list(zip(*holes, strict=True))[1:]))
            for (key, tokens, erased, *_), state in zip(holes, states, strict=True):
                self._steps[key] = self._number(np.where(erased, state, tokens).astype(np.int32))

    def _judge(self, frames):
        """Losses of frames (window, slot, state) that are not known."""
        frames = sorted(frames - self._losses.keys())
        new = sorted({number for *_, number in frames if self._logits[number] is None})
        if new:
            for number, logits in zip(new, self._read(np.stack([self._states[i] for i in new])), strict=True):
                self._logits[number] = logits
        if frames:
            logits = np.stack([self._logits[number] for *_, number in frames])
            labels = np.stack([self.windows[w].labels[slot] for w, slot, _ in frames])
            for frame, loss in zip(frames, application_loss(logits, labels), strict=True):
                w, slot, number = frame
                self._losses[frame] = loss, (self._states[number] != self.windows[w].sent[slot]).mean()


def application_loss(logits, labels):
    """L_app of frames, float64 [n], from logits float32 [n, 5] and labels int [n, 3]."""
    said, none = torch.from_numpy(np.asarray(logits)), torch.zeros(0)
    truth = torch.from_numpy(np.asarray(labels))
    parts = TrafficLogits(said[:, 0], said[:, 1], said[:, 2:], none, none)
    return traffic_loss(parts, truth[:, 0], truth[:, 1], truth[:, 2]).double().numpy()


def logits_reader(head, batch=16):
    """Function states int32 [n, n_tokens] -> logits float32 [n, 5] of car, VRU and density, by an `InferenceHead`."""

    @torch.no_grad()
    def read(states):
        parts = []
        for first in range(0, len(states), batch):
            said = head(torch.from_numpy(np.ascontiguousarray(states[first : first + batch])))
            parts.append(torch.cat([said.car[:, None], said.vru[:, None], said.density], dim=1).numpy())
        return np.concatenate(parts)

    return read
