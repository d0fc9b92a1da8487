# SPDX-License-Identifier: GPL-3.0-or-later
"""What a system is: all that differs between ways to send the meaning of a scene, in one description.

Commands, loop, hosts, flowgraphs and reports ask a description; none of them asks which system it is. What costs an
import of torch is a function that imports it when it is called, so that radios can ask too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tokenlink.wire import TokenEstimate, TokenFrame


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes
    ----------
    open : str -> iterable of frames   ValueError or OSError for a source that is none
    demo : (scene, n_frames) -> str   source of the demo; of some systems fetched when it is not there, ValueError where
           that fails
    """

    open: Callable[[str], Iterable]
    demo: Callable[[int, int], str]


@dataclass(frozen=True)
class Payload:
    """From a frame as the sender gives it to symbols, and from received symbols to what the twin gets.

    Attributes
    ----------
    number : int      of the system, in the header of a burst
    table : str       name of the mode table that ships
    load_table : path or None -> table   the modes, with `modes`, `mode(mode_id)` and `n_tokens`; None: those that ship
    fits : (n_symbols, mode, table) -> bool   whether a frame may be so many payload symbols
    encode : (message, mode, table) -> complex64 [n_symbols]   of mean energy 1; ValueError for what is no frame. Of a
             payload in packets [P, n_symbols], each to be sent as a burst of its own
    decode : (symbols, channel_gain, n0, mode, table, link, expected=None) -> (estimate, report)   messages for the
             twin; ``link``: their fields that tell slot and channel; ``expected``: of `link.prior_schedule`, None with
             priors off; an estimate of mode NO_MODE says that the frame is lost, the report's drops by which cause;
             ValueError for what cannot be decoded. Of a payload in packets: symbols [P, n_symbols], channel_gain
             [P, n_symbols], n0 [P]; or those of one packet, which ``slot`` of ``link`` tells the place of
    draw : (rng, slot, mode, table) -> frame   a random one, for tests of a radio
    content : frame or estimate -> int32 [n_tokens]   what of a frame must come as it was sent; of a lost one empty
    agreed : table -> dict     what two hosts must have alike of their tables: str or numbers by name
    flowgraphs : str  what the names of the system's flowgraphs begin with, before "loopback", "virtual_tx", ...
    frame, estimate : type   messages to the radio and from it
    mode_at_sender : bool    a frame is made in its mode: commands go to the camera, the frame tells the radio
    packets : table -> int   P; packet q of the frame of slot i, both from 0 on, is the burst of slot i P + q, and has
             every P-th entry of the frame's content from q on
    """

    number: int
    table: str
    load_table: Callable
    fits: Callable[..., bool]
    encode: Callable[..., np.ndarray]
    decode: Callable[..., tuple]
    draw: Callable
    content: Callable[..., np.ndarray]
    agreed: Callable[..., dict]
    flowgraphs: str = ""
    frame: type = TokenFrame
    estimate: type = TokenEstimate
    mode_at_sender: bool = False
    packets: Callable[..., int] = lambda table: 1


@dataclass(frozen=True)
class Models:
    """The trained parts at either end.

    Attributes
    ----------
    names : tuple of str   artifacts
    sender : (root or None, table) -> (frame -> int32 [n_tokens])   what the camera node sends of each frame, in order
    receiver : (root or None, table, completion) -> object          what the twin node completes and reads with
    foretelling : tuple of str   artifacts that ``--prior`` needs besides; empty: the system has no priors
    """

    names: tuple[str, ...]
    sender: Callable
    receiver: Callable
    foretelling: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loop:
    """How a run of the closed loop is controlled, recorded and shown.

    Attributes
    ----------
    control : type                              settings of the system's policies, a dataclass of plain values
    load_control : path or None -> control      None: those that ship
    check_control : (control, table) -> None    ValueError for settings that the mode table cannot serve
    policy : (name, control, table, artifacts) -> policy   of one of the system's policies
    recorder : (folder, table, summarize, root or None) -> Recorder   with the artifacts that it judges by, if any
    wrong : (truth, estimate or None, state) -> int   what of a slot is not at the twin as it was at the camera, by
             their StateReports and what came
    camera, twin : str   the nodes, by their names in `tokenlink.loop.nodes`
    page : str           module whose `write_report` makes the page of a run
    idle_options : tuple of str   options of ``./twist loopback``, by field, that mean nothing to the system
    """

    control: type
    load_control: Callable
    check_control: Callable
    policy: Callable
    recorder: Callable
    wrong: Callable[..., int]
    camera: str = "camera"
    twin: str = "twin"
    page: str = "tokenlink.report.run_page"
    idle_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Attributes
    ----------
    key : str         in the summary of a run and in the means of a study
    label : str
    meaning : str     beside the value; may name keys of the summary in braces
    is_share : bool   shown in percent
    on_card : bool    among those a report begins with
    in_study : bool   a column of the table of a study
    """

    key: str
    label: str
    meaning: str = ""
    is_share: bool = False
    on_card: bool = False
    in_study: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure of an evaluation.

    Attributes
    ----------
    number : int
    title : str
    rows : str    attribute of what `Study.results` collects that it is drawn from, or "examples"
    study : str   of `./twist evaluate` that makes the rows
    name : str    it is also known by in commands, or nothing
    """

    number: int
    title: str
    rows: str
    study: str
    name: str = ""


@dataclass(frozen=True)
class Study:
    """How a system is evaluated, by names of modules.

    Attributes
    ----------
    command : str      whose `evaluate` is ``./twist evaluate``
    results : str      whose `collect` reads a results folder, and that judges, keeps and illustrates what is in it
    idle_options : tuple of str   options of the commands on evaluations, by parameter, that mean nothing to the system
    offline : str      whose `prepare` is ``./twist prepare``; empty: the stages that the command runs itself
    idle_offline : tuple of str   options of that command which mean nothing to it
    has_offline : bool            whether there is anything to prepare
    """

    command: str
    results: str
    idle_options: tuple[str, ...]
    offline: str = ""
    idle_offline: tuple[str, ...] = ()
    has_offline: bool = True


@dataclass(frozen=True)
class System:
    """One system, a row through all rooms.

    Attributes
    ----------
    name : str        in commands, run folders and handshakes
    title : str       for readers
    source : Source
    payload : Payload
    models : Models
    loop : Loop
    policies : tuple of str   that may choose its modes; the first one unless another is asked for
    summarize : (records, arrays) -> dict   metrics of a run, by key
    metrics : tuple of Metric               in the order of tables
    figures : tuple of Figure
    study : Study or None     None: nothing evaluates it
    """

    name: str
    title: str
    source: Source
    payload: Payload
    models: Models
    loop: Loop
    policies: tuple[str, ...]
    summarize: Callable[[list, dict], dict]
    metrics: tuple[Metric, ...]
    figures: tuple[Figure, ...]
    study: Study | None = None

    @property
    def option(self) -> str:
        """What a command on this system says beside those on the first one: " --system NAME", or nothing."""
        return "" if self.name == "twist" else f" --system {self.name}"
