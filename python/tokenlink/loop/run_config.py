# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run is made of, as dataclasses that go to the node processes as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from tokenlink.channel import ChannelConfig, SnrTrajectory
from tokenlink.control import FORESEEING, FeedbackConfig
from tokenlink.files.json_file import read_json
from tokenlink.files.writing import write_text
from tokenlink.link.prior_schedule import BEST, OFF, exchanges_of
from tokenlink.models.artifact_files import DEFAULT_DIR, ArtifactMissingError, verify
from tokenlink.systems import system_named

RADIOS = ("gnuradio", "simulator", "running", "virtual")
COMPLETIONS = ("model", "copy")


@dataclass(frozen=True)
class RunConfig:
    """One run of the closed loop.

    Parameters
    ----------
    source : str            where the frames come from, as the system's source reads it
    n_frames : int          frames at most, >= 1; a source may end before
    seed : int              of channel, noise and feedback losses, >= 0
    channel : ChannelConfig
    policy : str            one of the system's; empty: its first one
    control : object        settings of its policies; left out: those that ship
    feedback : FeedbackConfig
    urgent_slots : tuple of int   slots of priority 1, known from outside
    completion : str        "model", or "copy": erased tokens are those of the previous state
    mode_table : str or None      YAML file; None: the table that ships
    artifacts : str or None       folder of the weights; None: the weights that ship
    radio : str             "gnuradio": the flowgraph, "simulator": the same functions without GNU Radio,
                            "running": a flowgraph somebody else has started, see RUNNING_RADIO,
                            "virtual": transmitter and receiver flowgraphs with the air of a virtual radio between them
    profile : str or None   name or file of the radio profile of "virtual", whose air takes the place of ``channel``;
                            None: ``channel``, burst by burst, and the impairments of the profile called virtual
    flowgraph : str or None       .grc file that "gnuradio" runs; None: the one that ships
    startup_timeout_s : float     longest wait for the first frame
    slot_timeout_s : float        longest wait for each one after it; then its slot counts as missed and the next begins
    stall_timeout_s : float       a run in which nothing comes through for that long is stopped
    system : str            one of SYSTEMS
    prior : str             what the twin expects of each frame goes to the receiver's decoder: "off", "once", or "0" to
                            "4", how often the two tell each other

    Raises
    ------
    ValueError   a value outside its range
    """

    source: str
    n_frames: int = 120
    seed: int = 1
    channel: ChannelConfig = field(default_factory=ChannelConfig)
    policy: str = ""
    control: object = None
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    urgent_slots: tuple[int, ...] = ()
    completion: str = "model"
    mode_table: str | None = None
    artifacts: str | None = None
    radio: str = "gnuradio"
    flowgraph: str | None = None
    profile: str | None = None
    startup_timeout_s: float = 120.0
    slot_timeout_s: float = 5.0
    stall_timeout_s: float = 60.0
    system: str = "twist"
    prior: str = OFF

    def __post_init__(self):
        object.__setattr__(self, "urgent_slots", tuple(int(slot) for slot in self.urgent_slots))
        if self.n_frames < 1:
            raise ValueError(f"n_frames is {self.n_frames}, expected >= 1")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, expected >= 0")
        system = system_named(self.system)
        object.__setattr__(self, "policy", self.policy or system.policies[0])
        if self.control is None:
            object.__setattr__(self, "control", system.loop.load_control(None))
        if not isinstance(self.control, system.loop.control):
            kind = type(self.control).__name__
            raise ValueError(f"control is a {kind}, system {self.system} has a {system.loop.control.__name__}")
        policies = system.policies
        for name, legal in (("policy", policies), ("radio", RADIOS), ("completion", COMPLETIONS)):
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(legal)}")
        if exchanges_of(self.prior) is not None and not system_named(self.system).models.foretelling:
            raise ValueError(f"prior is {self.prior!r}, expected off: system {self.system} foretells no frames")
        if self.policy in FORESEEING and self.prior == OFF:
            raise ValueError(f"prior is {self.prior!r} with policy {self.policy}, expected once or 0 to 4: it "
                             "decides by what the twin expects")
        self._check_radio()
        for name in ("startup_timeout_s", "slot_timeout_s", "stall_timeout_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} is {getattr(self, name)}, expected > 0")

    def _check_radio(self):
        if self.flowgraph is not None and self.radio != "gnuradio":
            raise ValueError(f"flowgraph is {self.flowgraph!r}, expected none with radio {self.radio}")
        if self.profile is not None and self.radio != "virtual":
            raise ValueError(f"profile is {self.profile!r}, expected none with radio {self.radio}")
        blocks = self.channel.coherence_blocks
        if blocks != 1 and self.radio == "virtual":
            raise ValueError(f"coherence_blocks is {blocks}, expected 1 with radio virtual: what changes in a burst is "
                             "the doppler_hz of its profile")  # fmt: skip


# What the shipped flowgraphs use where nobody says otherwise; the twin binds estimates, the radio everything else.
RUNNING_RADIO = {
    "tokens": "tcp://127.0.0.1:5555",
    "mode": "tcp://127.0.0.1:5557",
    "estimates": "tcp://127.0.0.1:5556",
    "prior": "tcp://127.0.0.1:5559",
}


@dataclass(frozen=True)
class Addresses:
    """Where each process listens, as zmq writes it; senders connect.

    Attributes
    ----------
    tokens, mode, prior : str   the radio: TokenFrame of the camera, ModeCommand and TokenPrior of the twin
    camera : str             the camera: ModeCommand of the twin, which lets the frame of that slot go
    estimates : str          the twin: TokenEstimate and LinkReport of the radio
    camera_records, twin_records : str   the runner
    """

    tokens: str
    mode: str
    prior: str
    camera: str
    estimates: str
    camera_records: str
    twin_records: str

    @classmethod
    def in_folder(cls, folder, radio=None):
        """Sockets of the file system in ``folder``; its path must be short, the kernel allows about 100 characters.

        ``radio``, such as RUNNING_RADIO, names addresses that are somewhere else.
        """
        return cls(**{entry.name: f"ipc://{folder}/{entry.name}" for entry in fields(cls)} | (radio or {}))


@dataclass(frozen=True)
class NodeConfig:
    """What a node process is started with: the run, its addresses, where the camera leaves its pictures, and the slot
    it begins with, which is also the first frame of the source that it sends."""

    run: RunConfig
    addresses: Addresses
    frames_folder: str | None = None
    first_slot: int = 0

    def save(self, path):
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path):
        """Read what ``save`` wrote."""
        raw = json.loads(Path(path).read_text())
        run, addresses = run_config_from_dict(raw["run"]), Addresses(**raw["addresses"])
        return cls(run, addresses, raw["frames_folder"], raw["first_slot"])


def check_source(source, n_needed=1, system="twist"):
    """Refuse a source that is none, or has fewer frames than are needed; nothing is drawn or read for it.

    Parameters
    ----------
    source : str      as the system's source reads it
    n_needed : int
    system : str

    Raises
    ------
    ValueError, OSError   names the source, what it has and what is needed
    """
    if (n_frames := len(system_named(system).source.open(source))) < n_needed:
        raise ValueError(f"{source} has {n_frames} frames, {n_needed} are asked for: ask for fewer with --frames")


def best_prior(system, artifacts=None):
    """What ``--prior`` does most with in a system: BEST where its artifacts foretell frames, else OFF.

    Parameters
    ----------
    system : str
    artifacts : str, Path or None   folder of the weights; None: those that ship
    """
    models, root = system_named(system).models, Path(artifacts or DEFAULT_DIR)
    return BEST if models.foretelling and all((root / name).is_dir() for name in models.foretelling) else OFF


def check_artifacts(run):
    """Refuse a run whose weights are missing or damaged.

    Raises
    ------
    ArtifactError   names the artifact and what is wrong, and of one that only ``prior`` needs says so
    """
    models, root = system_named(run.system).models, Path(run.artifacts or DEFAULT_DIR)
    for name in models.names:
        verify(name, root)
    for name in models.foretelling if run.prior != OFF else ():
        if not (root / name).is_dir():
            raise ArtifactMissingError(f"--prior {run.prior} needs the artifact {name}, which {root} does not have: "
                                       f"leave --prior at {OFF}, or train it with ./twist train {name}")
        verify(name, root)


def read_run_config(path):
    """RunConfig of the config.json of a run folder; ValueError for a file that is none."""
    try:
        return run_config_from_dict(read_json(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no config.json of a run: {error}") from None


def run_config_from_dict(raw):
    """RunConfig from plain values, as `dataclasses.asdict` gives them."""
    channel = dict(raw["channel"])
    channel["trajectory"] = SnrTrajectory(**channel["trajectory"])
    parts = {
        "channel": ChannelConfig(**channel),
        "control": system_named(raw.get("system", "twist")).loop.control(**raw["control"]),
        "feedback": FeedbackConfig(**raw["feedback"]),
    }
    return RunConfig(**{key: value for key, value in raw.items() if key not in parts}, **parts)
