# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of stages on disk, found again by the hash of what went into them."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tokenlink.files.writing import write_text


def digest_of(values):
    """SHA-256 of plain values, as hexadecimal text; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def digest_of_arrays(*arrays):
    """SHA-256 of arrays: dtype, shape and content, as hexadecimal text."""
    digest = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@dataclass
class Stage:
    """One stage as it was run: its name, the hash of its inputs, its result, whether it was found, and seconds."""

    name: str
    digest: str
    result: dict
    cached: bool
    seconds: float


@dataclass
class StageCache:
    """Runs stages, or finds what they gave the last time.

    Parameters
    ----------
    folder : Path
        Where results are kept, one JSON file a stage and set of inputs.
    watch : callable
        Called with (name of the stage, steps done, steps in all) while a stage runs.
    """

    folder: Path
    watch: callable = lambda name, done, total: None
    stages: list = field(default_factory=list)

    def run(self, name, inputs, make):
        """Result of a stage.

        Parameters
        ----------
        name : str
        inputs : dict       plain values that fix the result: settings, hashes of data and of the stages before
        make : callable     takes progress(done, total) and returns the result, plain values

        Returns
        -------
        Stage

        Notes
        -----
        A file appears at once and whole, so that a stage that was interrupted is run again and never half believed.
        """
        digest, begin_s = digest_of({"stage": name, "inputs": inputs}), time.monotonic()
        path = Path(self.folder) / f"{name}-{digest[:16]}.json"
        result = _read(path, digest)
        cached = result is not None
        if not cached:
            made = make(lambda done, total: self.watch(name, done, total))
            content = {"stage": name, "digest": digest, "inputs": inputs, "result": made}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(content, indent=1) + "\n")
            result = _read(path, digest)  # as the next run will see it
        self.stages.append(Stage(name, digest, result, cached, time.monotonic() - begin_s))
        return self.stages[-1]


def _read(path, digest):
    try:
        content = json.loads(path.read_text())
        return content["result"] if content["digest"] == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
