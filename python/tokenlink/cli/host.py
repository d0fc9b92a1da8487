# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist host``: camera and transmitter on one host, receiver and twin on the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import not_negative, positive, refuse, refuse_of_policy, writable_file, writable_folder
from tokenlink.cli.run_options import (
    CHANNELS,
    CONTROLLER,
    FRAMES,
    MONITOR,
    PRIOR,
    SCENE,
    SOURCES,
    SYSTEM,
    given_values,
    parse_slots,
    refuse_of_system,
    with_settings,
)

OptionalPath, OptionalInt, OptionalStr = Optional[Path], Optional[int], Optional[str]  # noqa: UP007, UP045 (typer reads it on Python 3.10)
PEER = "Address of the other host, such as tcp://10.0.0.2:5572; default: loopback."
LISTEN = "Address of this host that the other one can reach; default: loopback."
KEYS = "This host's folder of keys, made by ./twist keys; needed beyond loopback."
FEEDBACK = "network: over the control link; air: bursts on the reverse link."
PROFILE = "Radio profile, a name in hardware/profiles or a file; both hosts must have the same."
RADIO = "simulator; gnuradio: the flowgraph of --profile, over a USRP or a virtual radio."
AIR = "Where the process of a virtual radio listens; default: as the profile says."
PEER_NAME = "Name of the other host in --keys; may be left out where there is only one."
RADIO_NAME = "Name in --keys of the host with the process of a virtual radio; default: none, and no keys on loopback."
OUT = "Run folder; one that has slots already is gone on with. Default: a new one under runs/."
PATIENCE = "Longest wait for the command of a slot, s."
WAIT = "Longest wait for the other host at the start, s."
POLICY = "As for ./twist loopback; both hosts must have the same."

app = typer.Typer(
    help="Two hosts: camera and transmitter here, receiver and twin there. Example: ./twist host rx, then host tx",
    no_args_is_help=True,
)

ListenOption = Annotated[Optional[str], typer.Option(help=LISTEN)]  # noqa: UP007, UP045
PeerOption = Annotated[Optional[str], typer.Option(help=PEER)]  # noqa: UP007, UP045
KeysOption = Annotated[OptionalPath, typer.Option(help=KEYS)]
ProfileOption = Annotated[Optional[str], typer.Option(help=PROFILE)]  # noqa: UP007, UP045
RadioOption = Annotated[str, typer.Option(help=RADIO)]
AirOption = Annotated[Optional[str], typer.Option(help=AIR)]  # noqa: UP007, UP045
PeerNameOption = Annotated[Optional[str], typer.Option(help=PEER_NAME)]  # noqa: UP007, UP045
RadioNameOption = Annotated[Optional[str], typer.Option(help=RADIO_NAME)]  # noqa: UP007, UP045
FeedbackOption = Annotated[str, typer.Option(help=FEEDBACK)]
PolicyOption = Annotated[str, typer.Option(help=POLICY)]
HoldOption = Annotated[OptionalInt, typer.Option(help="Slots without feedback that keep their mode.")]
FallbackOption = Annotated[OptionalInt, typer.Option(help="mode_id once feedback stays lost.")]
MonitorOption = Annotated[OptionalInt, typer.Option(help=MONITOR)]
ControllerOption = Annotated[OptionalPath, typer.Option(help=CONTROLLER)]
TableOption = Annotated[OptionalPath, typer.Option(help="YAML; default: the table that ships.")]
ArtifactsOption = Annotated[OptionalPath, typer.Option(help="Folder of other weights.")]
ChannelOption = Annotated[str, typer.Option(help=CHANNELS)]
SnrOption = Annotated[float, typer.Option(help="Nominal Es/N0, dB.")]
SeedOption = Annotated[int, typer.Option(help="Channel, noise and feedback losses of this host.")]
OutOption = Annotated[OptionalPath, typer.Option(help=OUT, callback=writable_folder)]
SystemOption = Annotated[str, typer.Option(help=f"{SYSTEM} Both hosts must have the same.")]
JsonOption = Annotated[OptionalPath, typer.Option(help="Write the counts here as JSON.", callback=writable_file)]


@app.command()
def tx(
    frames_from: Annotated[OptionalStr, typer.Option(help=f"{SOURCES} Default: as of ./twist demo.")] = None,
    frames: Annotated[OptionalInt, typer.Option(help=f"Those of earlier starts included. {FRAMES}")] = None,
    listen: ListenOption = None,
    peer: PeerOption = None,
    keys: KeysOption = None,
    profile: ProfileOption = None,
    radio: RadioOption = "simulator",
    radio_address: AirOption = None,
    peer_name: PeerNameOption = None,
    radio_name: RadioNameOption = None,
    feedback: FeedbackOption = "network",
    policy: PolicyOption = "",
    hold_slots: HoldOption = None,
    fallback_mode: FallbackOption = None,
    period: Annotated[float, typer.Option(help="Shortest time between slots, s.", callback=positive)] = 0.1,
    patience: Annotated[float, typer.Option(help=PATIENCE, callback=not_negative)] = 1.0,
    wait: Annotated[float, typer.Option(help=WAIT, callback=positive)] = 600.0,
    channel: ChannelOption = "rayleigh",
    snr_db: SnrOption = 15.0,
    seed: SeedOption = 1,
    controller: ControllerOption = None,
    mode_table: TableOption = None,
    artifacts: ArtifactsOption = None,
    out: OutOption = None,
    json: JsonOption = None,
    system: SystemOption = "twist",
    monitor: MonitorOption = None,
) -> None:
    """Camera and transmitter. --channel and --snr-db are those of the reverse link, with --feedback air.

    Example: ./twist host tx --frames-from invented:12 --listen tcp://10.0.0.1:5571 --peer tcp://10.0.0.2:5572
    --keys keys/tx
    """
    from tokenlink.hosts.host_tx import TxHost
    from tokenlink.loop.run_config import check_artifacts, check_source
    from tokenlink.systems import system_named

    refuse_of_system(system, policy)
    if feedback != "air" or radio != "simulator":
        refuse("without --feedback air and --radio simulator: they draw the reverse link", "channel", "snr_db", "seed")
    run = {"source": frames_from or "", "startup_timeout_s": wait, "seed": seed, "policy": policy, "system": system}
    run |= {} if frames is None else {"n_frames": frames}
    links = {"listen": listen, "peer": peer, "keys": keys, "profile": profile, "feedback_over": feedback,
             "radio": radio, "radio_address": radio_address, "peer_name": peer_name,
             "radio_name": radio_name}  # fmt: skip
    config = _config(
        "tx", run, links | {"period_s": period, "patience_s": patience}, (channel, snr_db),
        {"hold_slots": hold_slots, "fallback_mode": fallback_mode}, controller, mode_table, artifacts,
    )  # fmt: skip
    if not frames_from:
        check_artifacts(config.run)  # before anything is fetched for it
        source = system_named(system).source.demo(SCENE, config.run.n_frames)
        config = replace(config, run=replace(config.run, source=source))
    check_source(config.run.source, frames or 1, system)  # before anybody waits for anybody
    _run(TxHost, config, out, json, lambda done: f"mode {done['mode']:<4} {done['how']:<9} {done['outcome']}", monitor)


@app.command()
def rx(
    listen: ListenOption = None,
    peer: PeerOption = None,
    keys: KeysOption = None,
    profile: ProfileOption = None,
    radio: RadioOption = "simulator",
    radio_address: AirOption = None,
    peer_name: PeerNameOption = None,
    radio_name: RadioNameOption = None,
    feedback: FeedbackOption = "network",
    policy: PolicyOption = "",
    hold_slots: HoldOption = None,
    fallback_mode: FallbackOption = None,
    feedback_loss: Annotated[float, typer.Option(help="Probability that a slot's feedback is lost.")] = 0.0,
    feedback_delay: Annotated[int, typer.Option(help="Slots until feedback decides a mode; 1: the next slot's.")] = 1,
    lost_slots: Annotated[str, typer.Option(help="Slots whose feedback is lost, such as 10-19,30.")] = "",
    urgent_slots: Annotated[str, typer.Option(help="Slots of priority 1, such as 40-59.")] = "",
    completion: Annotated[str, typer.Option(help="model, or copy: holes take the previous state.")] = "model",
    channel: ChannelOption = "rayleigh",
    snr_db: SnrOption = 15.0,
    seed: SeedOption = 1,
    controller: ControllerOption = None,
    mode_table: TableOption = None,
    artifacts: ArtifactsOption = None,
    out: OutOption = None,
    json: JsonOption = None,
    system: SystemOption = "twist",
    prior: Annotated[str, typer.Option(help=PRIOR)] = "off",
    monitor: MonitorOption = None,
) -> None:
    """Receiver and twin; ends when the transmitter has sent all its slots. --channel and --snr-db simulate the air.

    Example: ./twist host rx --listen tcp://10.0.0.2:5572 --peer tcp://10.0.0.1:5571 --keys keys/rx
    """
    from tokenlink.hosts.host_rx import RxHost
    from tokenlink.loop.run_config import FeedbackConfig

    refuse_of_system(system, policy)
    if radio != "simulator" and not feedback_loss:
        refuse(f"with --radio {radio} and no --feedback-loss", "seed")
    run = {
        "source": "",
        "seed": seed,
        "policy": policy,
        "system": system,
        "completion": completion,
        "prior": prior,
        "feedback": FeedbackConfig(feedback_loss, parse_slots(lost_slots, "--lost-slots"), feedback_delay),
        "urgent_slots": parse_slots(urgent_slots, "--urgent-slots"),
    }
    links = {"listen": listen, "peer": peer, "keys": keys, "profile": profile, "feedback_over": feedback,
             "radio": radio, "radio_address": radio_address, "peer_name": peer_name,
             "radio_name": radio_name}  # fmt: skip
    control = {"hold_slots": hold_slots, "fallback_mode": fallback_mode}
    config = _config("rx", run, links, (channel, snr_db), control, controller, mode_table, artifacts)
    _run(RxHost, config, out, json, lambda done: f"{done['outcome']}  next mode {done['next_mode_id']}", monitor)


@app.command()
def account(
    tx_folder: Annotated[Path, typer.Argument(help="Run folder of the transmitting host.")],
    rx_folder: Annotated[Path, typer.Argument(help="Run folder of the receiving host.")],
    out: OutOption = None,
    json: JsonOption = None,
) -> None:
    """What became of every slot, and the metrics of those the twin saw.

    Example: ./twist host account runs/tx runs/rx
    """
    from rich.console import Console

    from tokenlink.cli.radio._common import write_json
    from tokenlink.cli.show_run import new_run_folder
    from tokenlink.hosts.slot_log import FATES
    from tokenlink.hosts.two_hosts import put_together

    found = put_together(tx_folder, rx_folder, out or new_run_folder("two-hosts"))
    console = Console(markup=False)
    rows = [(name, n, FATES.get(name, "nobody knows: this must be 0")) for name, n in found.totals.items()]
    rows += [(f"mode {name}", n, "how the transmitter came by its mode") for name, n in found.how.items()]
    console.print(_table("slots of two hosts", rows))
    console.print(_table("closed loop", [(name, value, "") for name, value in found.summary.items()]))
    write_json(json, {"slots": found.totals, "modes_by": found.how, "metrics": found.summary, "timing": found.timing})


def _config(role, run, links, channel, control, controller, mode_table, artifacts):
    from tokenlink.channel import ChannelConfig
    from tokenlink.control import FORESEEING
    from tokenlink.hosts.host_config import LISTEN as DEFAULT
    from tokenlink.hosts.host_config import HostConfig
    from tokenlink.loop.run_config import RunConfig

    _refuse_idle_options(links)
    refuse_of_policy(run["policy"])
    links = {name: str(value) if isinstance(value, Path) else value for name, value in links.items()}
    links["listen"] = links["listen"] or DEFAULT[role]
    links["peer"] = links["peer"] or DEFAULT["rx" if role == "tx" else "tx"]
    if role == "tx" and run["policy"] in FORESEEING:
        run["prior"] = "once"  # of the receiver, where the twin is; such a policy has none without
    run |= {
        "channel": ChannelConfig(*channel),
        "control": with_settings(run["system"], controller, given_values(**control)),
        "mode_table": str(mode_table) if mode_table else None,
        "artifacts": str(artifacts) if artifacts else None,
        "radio": "simulator",  # what the run is about is the host's own radio
    }
    return HostConfig(role, RunConfig(**run), **links)


def _refuse_idle_options(links):
    """Refuse options that the chosen radio and keys know nothing of."""
    from tokenlink.radio.profiles import read_profile

    if links["keys"] is None:
        refuse("without --keys", "peer_name", "radio_name")
    if links["radio"] == "simulator":
        refuse("with --radio simulator", "radio_address", "radio_name")
    elif links["profile"] is not None:
        refuse("with --radio gnuradio: the air is that of the profile", "channel", "snr_db")
        if (kind := read_profile(links["profile"]).kind) != "virtual":
            refuse(f"with a profile of kind {kind}", "radio_address", "radio_name")


def _run(host_class, config, out, json_file, describe, monitor):
    """Run a host with a line that says how it goes; print and write its counts, also when it is stopped."""
    from rich.console import Console

    from tokenlink.cli.radio._common import write_json
    from tokenlink.cli.show_run import new_run_folder
    from tokenlink.process.monitor import monitored

    console = Console(markup=False)
    out = out or new_run_folder(f"host-{config.role}")
    host = host_class(config, out)
    about = {"system": config.run.system, "policy": config.run.policy, "radio": config.radio, "role": config.role}

    def say(line):
        console.print(line, highlight=False, soft_wrap=True)

    with monitored(monitor, about, say) as take_in, console.status("") as status:

        def on_slot(done):
            take_in(done)
            status.update(f"slot {done['slot']}  {describe(done)}")

        def on_wait():
            say(f"listens at {config.listen}, waits for {config.peer}")

        try:
            host.run(on_slot, on_wait)
        finally:
            rows = [(name, n, "") for name, n in sorted(host.counts.items()) if n]
            console.print(_table(f"host {config.role}", rows))
            say(f"run folder  {out}")
            write_json(json_file, {"counts": dict(host.counts), "run_folder": str(out)})


def _table(title, rows):
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading, style in (("what", {}), ("value", {"justify": "right"}), ("meaning", {"style": "dim"})):
        table.add_column(heading, **style)
    for row in rows:
        table.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row))
    return table
