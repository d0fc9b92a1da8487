# SPDX-License-Identifier: GPL-3.0-or-later
"""What an evaluation of the adaptive system measures: accuracies of networks and of pictures as bits, and controllers.

Every result is the accuracy over all pictures of one way to send them at one Es/N0; what shares the device's work is
one task. Pictures, gains and noise are the same for all, so that any two results can be compared picture by picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive.networks import NETWORKS, TRAININGS
from tokenlink.study.plan import CHANNELS, channel_seed

SCHEMA_VERSION = 1
ORIGIN, SPLIT = "Imagenette", "val"
STUDIES = ("main", "control", "air")
OURS = "adaptive"
#: pictures as bits: at capacity, and as codewords over the link
DIGITAL = ("resize", "jpeg", "jpeg-ldpc")
METHODS = (*NETWORKS, *DIGITAL)
ALPHAS = tuple(tenth / 10 for tenth in range(1, 11))
SNRS_DB = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0)
#: rho_th of table II; pictures as bits have as many channel uses
LIMITS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
#: mean and standard deviation of the SNR of a slot, dB, table II; what does not vary needs one run
SCENARIOS = ((20.0, 0.0), (20.0, 2.5), (10.0, 0.0), (10.0, 2.5), (0.0, 2.5))
CONTROL_RUNS = 5
CONTROLLED = ("adaptive", "vit-ae", "mnv3-cnn")
#: payload with its header, and a receiver that knows the gain from so many known symbols; 0: exactly
AIR_ALPHAS, AIR_PILOTS = (0.1, 0.3, 0.5, 1.0), (0, 1, 4, 16)


@dataclass(frozen=True)
class PictureSetting:
    """What all results of a folder share.

    Parameters
    ----------
    n_pictures : int
    sha256 : str     of pictures and labels
    """

    n_pictures: int
    sha256: str

    def as_dict(self) -> dict:
        """Plain values: equal for two evaluations whose results belong together."""
        return {"schema": SCHEMA_VERSION, "system": OURS, "origin": ORIGIN, "split": SPLIT,
                "n_pictures": self.n_pictures, "pictures_sha256": self.sha256}  # fmt: skip


@dataclass(frozen=True)
class PictureTask:
    """What one worker does at a time.

    Attributes
    ----------
    study : str        of STUDIES
    method : str       of METHODS
    training : str     of TRAININGS; of pictures as bits, that of the network that reads them
    shared : dict      what all its runs have in common, plain values
    runs : tuple of dict   what tells them apart
    artifact : str     network that is used
    weights : str      SHA-256 of its weights
    """

    study: str
    method: str
    training: str
    shared: dict
    runs: tuple
    artifact: str
    weights: str = field(default="")

    def config(self, run: dict, setting: PictureSetting) -> dict:
        """Configuration of one of its runs: plain values that fix its result."""
        named = {"study": self.study, "method": self.method, "training": self.training, "weights": self.weights}
        seed = channel_seed(ORIGIN, run.get("realisation", self.shared.get("realisation", 0)))
        return setting.as_dict() | named | self.shared | run | {"seed": seed}


def methods_of(study):
    """Methods that a study compares."""
    return {"main": METHODS, "control": CONTROLLED, "air": (OURS,)}[study]


def picture_tasks(study, available, snrs_db=None, channels=None, realisations=1, methods=None):
    """Tasks of a study.

    Parameters
    ----------
    study : str            of STUDIES
    available : dict       (method, training) -> (artifact, SHA-256 of its weights) of what there are weights for
    snrs_db, channels, methods : sequence or None   None: those of the study
    realisations : int     of noise and gains, >= 1

    Raises
    ------
    ValueError   unknown names, no realisation
    """
    channels = CHANNELS if channels is None else channels
    methods = METHODS if methods is None else methods
    for name, values, legal in (("study", (study,), STUDIES), ("channel", channels, CHANNELS),
                                ("method", methods, METHODS)):  # fmt: skip
        if unknown := set(values) - set(legal):
            raise ValueError(f"{name} is {sorted(unknown)[0]!r}, expected one of {', '.join(legal)}")
    if realisations < 1:
        raise ValueError(f"realisations is {realisations}, expected >= 1")
    make = {"main": _main, "control": _control, "air": _air}[study]
    snrs_db = SNRS_DB if snrs_db is None else snrs_db
    return [PictureTask(study, method, training, shared, tuple(runs), artifact, sha256)
            for (method, training), (artifact, sha256) in available.items()
            if method in methods and method in methods_of(study)
            for shared, runs in make(method, snrs_db, channels, realisations)]  # fmt: skip


def _main(method, snrs_db, channels, realisations):
    for channel in channels:
        for number in range(realisations):
            shared = {"channel": channel, "realisation": number}
            if method in DIGITAL:
                if method == "jpeg-ldpc" or channel == "awgn":  # what capacity a fading channel has is another matter
                    yield shared, [{"limit": limit, "esn0_db": snr} for limit in LIMITS for snr in snrs_db]
                continue
            for alpha in ALPHAS if method == OURS else (1.0,):
                yield shared | {"alpha": alpha}, _ratios(snrs_db)


def _ratios(snrs_db):
    return [{"ratio": ratio, "esn0_db": snr} for ratio in RATIOS for snr in snrs_db]


def _control(method, snrs_db, channels, realisations):
    yield {"channel": "awgn"}, [
        {"mean_db": mean, "std_db": std, "limit": limit, "realisation": number}
        for mean, std in SCENARIOS for limit in LIMITS for number in range(CONTROL_RUNS if std else 1)
    ]  # fmt: skip


def _air(method, snrs_db, channels, realisations):
    for channel in channels:
        for pilots in AIR_PILOTS if channel != "awgn" else (0,):
            for alpha in AIR_ALPHAS:
                yield {"channel": channel, "realisation": 0, "pilots": pilots, "alpha": alpha}, _ratios(snrs_db)


def available_of(weights: dict) -> dict:
    """What picture_tasks takes, of the artifacts that are there.

    Parameters
    ----------
    weights : dict   artifact -> SHA-256 of its weights

    Returns
    -------
    dict   (method, training) -> (artifact, SHA-256); pictures as bits are read by the adaptive network
    """
    found = {}
    for training, ending in TRAININGS.items():
        for method in METHODS:
            artifact = NETWORKS.get(method, NETWORKS[OURS]) + ending
            if artifact in weights:
                found[method, training] = artifact, weights[artifact]
    return found

