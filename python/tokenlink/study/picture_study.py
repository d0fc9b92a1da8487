# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluation of the adaptive system from its inputs to its results folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tokenlink.data.imagenette import read_split
from tokenlink.models import artifact
from tokenlink.study import picture_worker
from tokenlink.study.picture_parts import Place, prepare, present_weights, shown
from tokenlink.study.picture_plan import (
    OURS,
    SPLIT,
    PictureSetting,
    available_of,
    picture_tasks,
)
from tokenlink.study.result_store import ResultStore, StoreError, load_results
from tokenlink.study.task_runs import rows_of, run_tasks


def open_study(study, pictures, out, *, root=None, limit=None, **chosen):
    """Tasks of a study over the validation pictures, and the folder they go to.

    Parameters
    ----------
    study : str            of `tokenlink.study.picture_plan.STUDIES`
    pictures : Path        Imagenette
    out : Path             results folder
    root : Path or None    folder of the artifacts; None: those that ship
    limit : int or None    pictures at most, evenly chosen; None: all
    chosen : as of `picture_tasks`

    Returns
    -------
    (list of PictureTask, PictureSetting, Place, ResultStore)

    Raises
    ------
    ArtifactError     no weights of the adaptive network
    PictureSetError   no pictures there
    StoreError        the folder holds results of other pictures, or of other weights of the same network
    ValueError        as picture_tasks
    """
    root = Path(root or artifact.DEFAULT_DIR).resolve()
    picture_tasks(study, {}, **chosen)  # names, before anything is read
    weights = present_weights(root)
    if OURS not in weights:
        artifact.verify(OURS, root)  # says what is missing
    side = artifact.read_config(OURS, root).side
    place = Place(str(Path(pictures).resolve()), side, 1, str(root))
    if limit is not None:
        place = Place(place.pictures, side, max(1, -(-len(read_split(Path(pictures), SPLIT)) // limit)), place.root)
    own = shown(place)
    setting = PictureSetting(len(own), own.sha256())
    store = ResultStore(out, setting)
    tasks = picture_tasks(study, available_of(weights), **chosen)
    _refuse_other_weights(out, tasks)
    return tasks, setting, place, store


def _refuse_other_weights(out, tasks):
    """Results of a network come from one set of weights; StoreError otherwise."""
    wanted = {(task.method, task.training): task.weights for task in tasks}
    if not any((Path(out) / "results").iterdir()):
        return
    for result in load_results(out):
        config = result["config"]
        known = wanted.get((config["method"], config["training"]))
        if known not in (None, config["weights"]):
            raise StoreError(f"{out} holds results of other weights of {config['method']}, {config['training']}: name "
                             "another folder with --out")  # fmt: skip


#: (tasks, setting, place, store, workers, scheduler, on_task), see `run_tasks`
run_pictures = partial(run_tasks, (prepare, picture_worker.compute))
picture_rows = rows_of
