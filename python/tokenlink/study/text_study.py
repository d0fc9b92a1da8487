# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluation of TokCode from its texts to its results folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tokenlink.models import artifact
from tokenlink.models.tokcode.text_codec import ENCODER, FOUNDATION, SENTENCES, VOCABULARY
from tokenlink.study import text_worker
from tokenlink.study.jobs import Crew, Job, SweepResult, run_jobs
from tokenlink.study.picture_plan import without
from tokenlink.study.result_store import ResultStore
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


def run_texts(tasks, setting, place, store, workers=2, scheduler=None, on_task=None) -> SweepResult:
    """Compute what is missing and keep it.

    Parameters
    ----------
    tasks : list of TextTask
    setting : TextSetting
    place : TextPlace
    store : ResultStore
    workers, scheduler, on_task : as of `tokenlink.study.sweep.run_sweep`; workers read texts and weights themselves
    """
    left, n_found = without(tasks, setting, store)
    jobs = [Job(text_worker.compute, (task, setting, place), len(task.runs)) for task in left]
    return run_jobs(jobs, n_found, store, Crew(workers, scheduler, partial(text_worker.prepare, place, setting)),
                    on_task)  # fmt: skip


def text_rows(tasks, setting, store) -> list[dict]:
    """Rows of all runs of some tasks, each with its configuration."""
    configs = [task.config(run, setting) for task in tasks for run in task.runs]
    return [config | store.read_row(config) for config in configs]
