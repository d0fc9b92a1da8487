# SPDX-License-Identifier: GPL-3.0-or-later
"""What the paper compares with at the receiver: lost tokens filled in, by T5, by a masked or a large model."""

from __future__ import annotations

import numpy as np
import torch

from tokenlink.models.tokcode.t5 import TextT5, padded
from tokenlink.models.tokcode.vocabulary import END_ID, FIRST_SENTINEL, FIRST_TEXT_ID, N_SENTINELS

MASK_ID = FIRST_SENTINEL  # stands for a token to repair
REQUEST = ("Some tokens of a prompt for a picture were lost on their way. This is what came: {text}\n"
           "Write the whole prompt as it was, and nothing else.")  # fmt: skip
LONGEST_SPAN = 3  # a hole is filled with as many times its tokens at most


def with_sentinels(token_ids: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """A sequence with a sentinel for every hole, and how many tokens each hole had.

    Parameters
    ----------
    token_ids : int [n]
    lost : bool [n]

    Returns
    -------
    (int64 [m], list of int)   holes beyond the last sentinel are left out
    """
    out, sizes = [], []
    for token, gone, before in zip(token_ids, lost, [False, *lost[:-1]], strict=True):
        if not gone:
            out.append(int(token))
        elif before:
            sizes[-1] += 1
        else:
            sizes.append(1)
            if len(sizes) <= N_SENTINELS:
                out.append(FIRST_SENTINEL + len(sizes) - 1)
    return np.array(out, np.int64), sizes[:N_SENTINELS]


@torch.inference_mode()
def infilled(model: TextT5, token_ids: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """T5 infilling: a sequence whose holes T5 has filled, int32; what it says nothing of stays out.

    Parameters
    ----------
    model : TextT5
    token_ids : int32 [n]   those that are lost are not looked at
    lost : bool [n]

    Notes
    -----
    Greedy, a token at a time, as T5 was pre-trained: sentinels in the source, each answered by its span.
    """
    lost = np.asarray(lost, bool)
    source, sizes = with_sentinels(token_ids, lost)
    if not sizes or not source.size:
        return np.asarray(token_ids, np.int32)[~lost]
    most = sum(LONGEST_SPAN * size + 1 for size in sizes) + 1
    said = model.t5.generate(torch.from_numpy(source)[None], max_new_tokens=most, do_sample=False, num_beams=1)
    return _put_in(source, spans_of(said[0, 1:].numpy()), sizes)


def spans_of(said: np.ndarray) -> dict[int, list[int]]:
    """Sentinel -> tokens said behind it, the first time it comes; up to the end."""
    spans, current = {}, None
    for token in said.tolist():
        if token == END_ID:
            break
        if FIRST_SENTINEL <= token < FIRST_TEXT_ID:
            current = spans.setdefault(token, []) if token not in spans else None
        elif token >= FIRST_TEXT_ID and current is not None:
            current.append(token)
    return spans


def _put_in(source, spans, sizes):
    out = []
    for token in source.tolist():
        if token < FIRST_TEXT_ID and token >= FIRST_SENTINEL:
            out += spans.get(token, [])[: LONGEST_SPAN * sizes[token - FIRST_SENTINEL]]
        else:
            out.append(token)
    return np.array(out, np.int32)


@torch.inference_mode()
def predicted(model, tokenizer, text: str) -> str:
    """LLM-based prediction: what an instructed language model takes the whole prompt to have been.

    Parameters
    ----------
    model, tokenizer   of `checkpoints.load_language_model`
    text : str         of the tokens that came

    Notes
    -----
    TokCode paper, section V-B. Greedy; at most twice as many tokens as came, and some.
    """
    asked = REQUEST.format(text=text)
    if tokenizer.chat_template:
        talk = [{"role": "user", "content": asked}]
        asked = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    given = tokenizer(asked, return_tensors="pt", add_special_tokens=not tokenizer.chat_template)
    most = 2 * len(tokenizer(text)["input_ids"]) + 16
    said = model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=most,
                          do_sample=False, pad_token_id=tokenizer.eos_token_id)  # fmt: skip
    return tokenizer.decode(said[0, given["input_ids"].shape[1] :], skip_special_tokens=True).strip()


@torch.inference_mode()
def repaired(model: TextT5, token_ids: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Masked prediction: every lost token filled with the likeliest one, all at once; int32 [n].

    Parameters
    ----------
    model : TextT5
    token_ids : int32 [n]   those that are lost are not looked at
    lost : bool [n]         not all of them
    """
    lost = np.asarray(lost, bool)
    out = np.where(lost, MASK_ID, token_ids).astype(np.int32)
    if lost.all() or not lost.any():
        return np.asarray(token_ids, np.int32)[~lost]
    scores = model.logits(padded([out]))[0]
    scores[:, :FIRST_TEXT_ID] = -torch.inf
    out[lost] = scores.argmax(-1).numpy()[lost]
    return out
