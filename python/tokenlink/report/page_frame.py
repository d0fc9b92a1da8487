# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of all systems' runs share: style, title, cards, figures, configuration."""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from string import Template

RATE = "frames/s"  # on a card too, beside the system's metrics


def filled_page(template, config, info, rows, system, **parts):
    """The page of a run, HTML.

    Parameters
    ----------
    template : str                 file beside this one
    config, info : dict            plain values of the run's configuration, and what else it says of itself
    rows : list of (name, value, meaning)   of `tables.summary_rows`
    system : System                whose metrics say what is on a card
    parts : str                    HTML of what the template has besides
    """
    on_cards = {each.label for each in system.metrics if each.on_card} | {RATE}
    beside = resources.files("tokenlink.report")
    return Template((beside / template).read_text()).substitute(
        style=(beside / "page.css").read_text(),
        title=escape(run_title(config)),
        subtitle=run_subtitle(config, info),
        cards="".join(card(*row) for row in rows if row[0] in on_cards),
        rows="".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td><td>{escape(c)}</td></tr>" for a, b, c in rows),
        config=escape(json.dumps(config, indent=2)),
        info=escape(json.dumps(info, indent=2)),
        **parts,
    )


def card(name, value, meaning):
    """A figure of a run with its name and meaning, HTML."""
    return f"<div class=card><b>{escape(value)}</b><span>{escape(name)}</span><i>{escape(meaning)}</i></div>"


def run_title(config):
    """What was run, from the plain values of its configuration."""
    over = "running flowgraph" if config["radio"] == "running" else f"{config['channel']['model']} channel"
    return f"Closed loop: {config['policy']} policy, {over}"


def run_subtitle(config, info):
    """How it was run, HTML."""
    channel = config["channel"]
    origin = info.get("nodes", {}).get("camera", {}).get("origin", "")
    over = f"{channel['model']} channel, {channel['esn0_db']:g} dB nominal Es/N0, {channel['trajectory']['kind']}"
    parts = [
        f"source {config['source']}" + (f" ({origin})" if origin else ""),
        "channel as set in the running flowgraph" if config["radio"] == "running" else over,
        f"policy {config['policy']}",
        f"radio {config['radio']}",
        f"seed {config['seed']}",
    ]
    if config.get("prior", "off") != "off":
        parts.append(f"prior {config['prior']}")
    if info["status"] != "complete":
        parts.append(info["status"])
    return " · ".join(escape(part) for part in parts)
