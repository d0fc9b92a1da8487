# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep computes: configurations of single runs, grouped into tasks that share what the radio delivers."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass, field

import numpy as np

from tokenlink.channel import ChannelConfig, SnrTrajectory
from tokenlink.control import ABLATIONS, CHANNEL_LED, FORESEEING, POLICIES, ControlConfig
from tokenlink.link.prior_schedule import OFF
from tokenlink.study.foretold import GENIE, check_prior
from tokenlink.study.receivers import ADAPTIVE, RECEIVERS, WITHOUT_TOKENS

SCHEMA_VERSION = 1
ORACLE = "oracle"
STUDIES = ("main", "designs", "feedback", "temporal", "pareto", "prior")
PRIORITIES = ("exogenous", "oracle", "none")
MAIN_POLICIES = ("twist", "static-low", "static-med", "static-high", "channel-adaptive", *ABLATIONS, ORACLE)
SNRS_DB = tuple(range(0, 21, 2))
CHANNELS = ("awgn", "rayleigh")
SLOW_FADING = "rayleigh:0.9"  # where feedback says something about the next slot
ALL_CHANNELS = (*CHANNELS, SLOW_FADING)
DELAYS, LOSSES = (1, 2, 5, 10), (0.0, 0.1, 0.3, 0.5)
# Ways to complete, in the loop and under one mode: in the loop another completion means another drift, and other modes.
# Beside them a controller that is led by the channel.
DESIGN_POLICIES, DESIGNS = ("twist", "static-med"), ("full", "blind-completion", "hold")
DESIGN_SNRS_DB = (4.0, 8.0, 12.0, 16.0)
MAIN_RECEIVERS = tuple(name for name in RECEIVERS if name not in ("blind-completion", ADAPTIVE))
JPEG_POLICIES = ("static-low", "static-med", "static-high")
FEEDBACK_POLICIES = ("twist", "channel-adaptive")
FEEDBACK_SNRS_DB = (8.0, 12.0, 16.0)
# Added to both thresholds of a policy, so that its mean cost moves; theta of eq. (26), quality of Channel-Adaptive.
PARETO_OFFSETS = (-0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3)
_QUALITIES = ("quality_low", "quality_high")
PARETO_FIELDS = {"twist": ("theta_low", "theta_high"), "channel-adaptive": _QUALITIES, CHANNEL_LED: _QUALITIES}
PARETO_SNRS_DB = (4.0, 8.0, 12.0, 16.0)
TRAJECTORY = SnrTrajectory("blockwise", (0.0, -6.0, 3.0, -3.0, 6.0), 20)
TEMPORAL_SNR_DB = 10.0
TEMPORAL_POLICIES = ("twist", "static-med", "static-high", "channel-adaptive")
PRIOR_POLICIES = ("static-low", "static-med", "static-high", "twist", "channel-adaptive", *FORESEEING)
PRIOR_STUDY = (OFF, "once", "3", GENIE)  # the genie's twin knows the true frames before
PRIOR_SNRS_DB = (4.0, 6.0, 8.0, 10.0, 12.0, 16.0)


@dataclass(frozen=True)
class RunSpec:
    """What is compared: policy, receiver, feedback, prior.

    Parameters
    ----------
    policy : str        one of POLICIES, or "oracle", which knows what each mode would deliver
    receiver : str      one of RECEIVERS
    delay_slots : int   of the feedback, >= 1
    loss : float        probability that feedback is lost
    control : tuple of (name, value)   fields of ControlConfig other than the controller's own
    prior : str         one of `tokenlink.study.foretold.PRIORS`

    Raises
    ------
    ValueError   unknown name
    """

    policy: str
    receiver: str = "full"
    delay_slots: int = 1
    loss: float = 0.0
    control: tuple = ()
    prior: str = OFF

    def __post_init__(self):
        check_prior(self.prior, self.receiver, self.policy in FORESEEING)
        if self.prior != OFF and self.policy == ORACLE:
            raise ValueError(f"prior is {self.prior!r} with policy {ORACLE}, expected {OFF}")
        for name, legal in (("policy", (*POLICIES, ORACLE)), ("receiver", RECEIVERS)):
            if (value := getattr(self, name)) not in legal:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(legal)}")
        if self.receiver in WITHOUT_TOKENS and self.policy not in JPEG_POLICIES:
            legal = ", ".join(JPEG_POLICIES)
            raise ValueError(f"policy is {self.policy!r} with receiver {self.receiver}, expected {legal}")
        object.__setattr__(self, "control", tuple((str(name), value) for name, value in self.control))

    def as_dict(self):
        """Plain values, as in a result's configuration."""
        feedback = {"delay_slots": self.delay_slots, "loss": self.loss}
        told = {} if self.prior == OFF else {"prior": self.prior}  # results from before there were priors stay valid
        named = {"policy": self.policy, "receiver": self.receiver, "feedback": feedback}
        return named | {"control": dict(self.control)} | told


@dataclass(frozen=True)
class Setting:
    """What all runs of a sweep share.

    Parameters
    ----------
    origin, split : str
    control : ControlConfig
    hashes : dict        SHA-256 of mode table, uniform table and models
    priority : str       one of PRIORITIES
    """

    origin: str
    split: str
    control: ControlConfig
    hashes: dict
    priority: str = "exogenous"

    def __post_init__(self):
        if self.priority not in PRIORITIES:
            raise ValueError(f"priority is {self.priority!r}, expected one of {', '.join(PRIORITIES)}")

    def as_dict(self):
        """Plain values: equal for two sweeps whose results belong together.

        Predictor and network of scenes are not among them: only some runs depend on them, and name them themselves.
        """
        values = {name: value for name, value in asdict(self.control).items()
                  if name != "source" and not (name.startswith("aware_") and value == getattr(ControlConfig, name))}
        return {
            "schema": SCHEMA_VERSION,
            "origin": self.origin,
            "split": self.split,
            "priority": self.priority,
            "hashes": dict(self.hashes) | {"controller": content_hash(values)} | self._models(),
        }

    def weights_of(self, name):
        """SHA-256 of a model's weights, or None."""
        return self.hashes.get("models", {}).get(name)

    def _models(self):
        own = ("predictor", "adaptive_scenes")
        models = {name: value for name, value in self.hashes.get("models", {}).items() if name not in own}
        return {"models": models} if models else {}


@dataclass(frozen=True)
class Task:
    """Runs over one sequence and one kind of channel: what one worker does at a time.

    Parameters
    ----------
    sequence : str         its name
    channel : ChannelConfig
    realisations : tuple of int
    specs : tuple of RunSpec
    series : bool          keep the runs slot by slot
    """

    sequence: str
    channel: ChannelConfig
    realisations: tuple[int, ...]
    specs: tuple[RunSpec, ...]
    series: bool = False
    runs: tuple = field(default=(), compare=False)

    def all_runs(self):
        """Pairs (RunSpec, realisation) to compute: those of `runs`, or all."""
        return self.runs or tuple((spec, number) for spec in self.specs for number in self.realisations)


def content_hash(content):
    """SHA-256 of plain values as JSON, hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def run_config(setting, sequence, task, spec, realisation):
    """Configuration of one run: plain values that fix its result.

    Parameters
    ----------
    setting : Setting
    sequence : Sequence
    task : Task
    spec : RunSpec
    realisation : int
    """
    told = {} if spec.prior == OFF else {"predictor": setting.weights_of("predictor")}
    told |= {"scene_network": setting.weights_of("adaptive_scenes")} if spec.receiver == ADAPTIVE else {}
    return setting.as_dict() | spec.as_dict() | told | {
        "sequence": sequence.name,
        "sequence_sha256": sequence.sha256(),
        "channel": channel_name(task.channel),
        "esn0_db": float(task.channel.esn0_db),
        "trajectory": asdict(task.channel.trajectory) if task.channel.trajectory.kind != "constant" else None,
        "series": task.series,
        "realisation": realisation,
        "seed": channel_seed(sequence.name, realisation),
    }  # fmt: skip


def channel_name(channel):
    """Name of a kind of channel: its model, the correlation from slot to slot and the coherence blocks of a frame where
    there are any, such as rayleigh:0.9/4."""
    correlation, blocks = channel.fading_correlation, channel.coherence_blocks
    name = channel.model if correlation == 0 else f"{channel.model}:{correlation:g}"
    return name if blocks == 1 else f"{name}/{blocks}"


def channel_named(name, esn0_db, trajectory):
    """ChannelConfig of a name such as "awgn", "rayleigh", "rayleigh:0.9" or "rayleigh/4"; ValueError for any other."""
    kind, _, blocks = name.partition("/")
    model, _, correlation = kind.partition(":")
    try:
        values = float(correlation or 0), int(blocks or 1)
    except ValueError:
        raise ValueError(f"channel is {name!r}, expected a model, a correlation and a number of coherence blocks such "
                         "as rayleigh:0.9/4") from None  # fmt: skip
    return ChannelConfig(model, float(esn0_db), fading_correlation=values[0], trajectory=trajectory,
                         coherence_blocks=values[1])  # fmt: skip


def channel_seed(sequence, realisation):
    """Seed of channel, noise and feedback losses: the same for all policies, receivers and Es/N0."""
    return zlib.crc32(f"channel/{sequence}/{realisation}".encode())


def pareto_specs(policy, control):
    """Runs of an adaptive policy with its thresholds moved, so that each costs another mean budget.

    Parameters
    ----------
    policy : str              one of PARETO_FIELDS, or an ablation of "twist"
    control : ControlConfig   whose thresholds are moved
    """
    names = PARETO_FIELDS.get(policy, PARETO_FIELDS["twist"])
    lowest = 0.0 if names == _QUALITIES else -np.inf
    values = [[max(round(getattr(control, name) + offset, 6), lowest) for name in names] for offset in PARETO_OFFSETS]
    return [RunSpec(policy, control=tuple(zip(names, each, strict=True))) for each in values]


def study_tasks(study, sequences, control, policies=None, receivers=None, snrs_db=None, channels=None, realisations=5):
    """Tasks of a study over all sequences, longest first.

    Parameters
    ----------
    study : str                    one of STUDIES
    sequences : list of Sequence   none: all names are checked, and no task comes of it
    control : ControlConfig        whose thresholds "pareto" moves
    policies, receivers : sequence of str or None   None: those of the study; receivers are compared under TWIST
    snrs_db, channels : sequence or None            None: those of the study
    realisations : int             >= 1

    Raises
    ------
    ValueError   unknown study or name, no realisation
    """
    if study not in STUDIES:
        raise ValueError(f"study is {study!r}, expected one of {', '.join(STUDIES)}")
    if realisations < 1:
        raise ValueError(f"realisations is {realisations}, expected >= 1")
    specs, snrs, models, trajectory = _of_study(study, control, policies, receivers)
    snrs = snrs if snrs_db is None else snrs_db
    models = models if channels is None else channels
    numbers, series = tuple(range(realisations)), study == "temporal"
    all_channels = [channel_named(model, snr, trajectory) for model in models for snr in snrs]
    return [
        Task(sequence.name, channel, numbers, specs, series)
        for sequence in sorted(sequences, key=len, reverse=True)
        for channel in all_channels
    ]


#: studies that compare policies alone
WITHOUT_RECEIVERS = ("feedback", "pareto", "temporal", "prior")


def _of_study(study, control, policies, receivers):
    if study == "feedback":
        specs = [RunSpec(policy, delay_slots=delay, loss=loss)
                 for policy in policies or FEEDBACK_POLICIES for delay in DELAYS for loss in LOSSES]  # fmt: skip
        return tuple(specs), FEEDBACK_SNRS_DB, ("rayleigh", SLOW_FADING), SnrTrajectory()
    if study == "designs":
        specs = [RunSpec(policy, name) for policy in policies or DESIGN_POLICIES for name in receivers or DESIGNS]
        if policies is None:
            specs += [RunSpec(CHANNEL_LED), RunSpec("channel-adaptive")]
        return tuple(specs), DESIGN_SNRS_DB, ALL_CHANNELS, SnrTrajectory()
    if study == "pareto":
        specs = [spec for policy in policies or PARETO_FIELDS for spec in pareto_specs(policy, control)]
        return tuple(dict.fromkeys(specs)), PARETO_SNRS_DB, ALL_CHANNELS, SnrTrajectory()
    if study == "prior":
        specs = [RunSpec(policy, prior=prior) for policy in policies or PRIOR_POLICIES for prior in PRIOR_STUDY
                 if not (policy in FORESEEING and prior == OFF)]  # fmt: skip
        return tuple(specs), PRIOR_SNRS_DB, ALL_CHANNELS, SnrTrajectory()
    if study == "temporal":
        specs = tuple(RunSpec(policy) for policy in policies or TEMPORAL_POLICIES)
        return specs, (TEMPORAL_SNR_DB,), ALL_CHANNELS, TRAJECTORY
    specs = [RunSpec(policy) for policy in policies or MAIN_POLICIES]
    wanted = MAIN_RECEIVERS if receivers is None else receivers
    specs += [RunSpec("twist", name) for name in wanted if name not in ("full", *WITHOUT_TOKENS)]
    specs += [RunSpec(policy, name) for name in WITHOUT_TOKENS if name in wanted for policy in JPEG_POLICIES]
    return tuple(dict.fromkeys(specs)), SNRS_DB, CHANNELS, SnrTrajectory()
