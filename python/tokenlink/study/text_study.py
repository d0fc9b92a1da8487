# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluation of TokCode from its texts to its results folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tokenlink.models import artifact
from tokenlink.models.tokcode.text_codec import ENCODER, FOUNDATION, SENTENCES, VOCABULARY
from tokenlink.study import text_worker
from tokenlink.study.result_store import ResultStore
from tokenlink.study.task_runs import rows_of, run_tasks
from tokenlink.study.text_plan import TextSetting, text_tasks, texts_sha256
from tokenlink.study.text_worker import TextPlace, codec_of, texts_of


def open_study(study, texts, out, *, root=None, limit=None, **chosen):
    """Tasks of a study over the texts of a file, and the folder they go to.

    Parameters
    ----------
    study : str            of `tokenlink.study.text_plan.STUDIES`
    texts : Path           one a line
    out : Path             results folder
    root : Path or None    folder of the artifacts; None: those that ship
    limit : int or None    texts at most, from the first; None: all
    chosen : as of `text_tasks`

    Returns
    -------
    (list of TextTask, TextSetting, TextPlace, ResultStore)

    Raises
    ------
    ArtifactError     no vocabulary or sentence encoder
    PromptFileError   no texts there
    StoreError        the folder holds results of other texts
    ValueError        as text_tasks
    """
    root = Path(root or artifact.DEFAULT_DIR).resolve()
    text_tasks(study, {}, **chosen)  # names, before anything is read
    weights = present(root)
    place = TextPlace(str(Path(texts).resolve()), limit, str(root))
    used, _, _ = texts_of(place)
    setting = TextSetting(Path(texts).name, len(used), texts_sha256(used), codec_of(place.root).vocab_hash,
                          weights[SENTENCES])  # fmt: skip
    store = ResultStore(out, setting)
    return text_tasks(study, weights, **chosen), setting, place, store


def present(root) -> dict:
    """Artifact -> SHA-256 of its weights, of all of TokCode's that the manifest names.

    Raises
    ------
    ArtifactError   no vocabulary or sentence encoder, or weights that are damaged
    """
    manifest, found = artifact.read_manifest(root), {}
    for name in (VOCABULARY, SENTENCES, FOUNDATION, ENCODER):
        if name in manifest or name in (VOCABULARY, SENTENCES):
            artifact.verify(name, root)  # says what is missing
            found[name] = manifest[name]["weights.safetensors"]["sha256"]
    return found


#: (tasks, setting, place, store, workers, scheduler, on_task), see `run_tasks`
run_texts = partial(run_tasks, (text_worker.prepare, text_worker.compute))
text_rows = rows_of
