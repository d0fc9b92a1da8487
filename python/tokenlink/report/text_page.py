# SPDX-License-Identifier: GPL-3.0-or-later
"""``report.html`` of a run that carries texts: traces, texts beside what came of them, losses over Es/N0; one file."""

from __future__ import annotations

from html import escape

from tokenlink.files.writing import write_text
from tokenlink.link.packets import NOTHING
from tokenlink.measure.records import RunFolder
from tokenlink.report.page_frame import filled_page
from tokenlink.report.run_page import chosen_slots
from tokenlink.report.tables import summary_rows
from tokenlink.report.traces import Trace, traces_svg
from tokenlink.systems import system_named

MAX_TEXTS = 40
WIDTH, HEIGHT, EDGE = 520, 260, 42  # of the picture of losses, pixels


def write_report(path, max_texts=MAX_TEXTS):
    """Write ``report.html`` into a run folder.

    Parameters
    ----------
    path : Path       run folder with its records
    max_texts : int   shown, evenly chosen; the traces show all

    Returns
    -------
    Path   of the report
    """
    folder = RunFolder(path)
    config, info = folder.read_json("config.json"), folder.read_json("run.json")
    summary, timing = folder.read_json("summary.json"), folder.read_json("timing.json")
    records = folder.read_lines("records.jsonl")
    system = system_named(config["system"])
    table = system.payload.load_table(config["mode_table"])
    text = filled_page(
        "text_page.html", config, info, summary_rows(summary, timing, info, system.metrics), system,
        traces=traces_svg(_traces(records), _strips(records), len(records)),
        texts="".join(_row(records[slot], table.n_packets) for slot in chosen_slots(len(records), max_texts)),
        losses=losses_svg(records),
    )  # fmt: skip
    out = folder.path / "report.html"
    write_text(out, text)
    return out


def _traces(records):
    def column(key):
        return [record[key] for record in records]

    uses = [each or 0 for each in column("channel_uses")]
    low = min(0.0, *column("similarity"), *column("plain_similarity"))
    return [
        Trace("Es/N0", "received, dB", [record["channel"]["esn0_db"] for record in records]),
        Trace("mode", "mode_id", column("mode_id"), 0.0, steps=True),
        Trace("channel uses", "payload symbols", column("channel_uses"), 0.0, max([1, *uses]), steps=True),
        Trace("packets lost", "share", column("lost_packets"), 0.0, 1.0, steps=True),
        Trace("similarity", "of what came", column("similarity"), low, 1.0),
        Trace("plain", "without encoding", column("plain_similarity"), low, 1.0),
        Trace("second", "of words", column("second_similarity"), 0.0, 1.0),
    ]


def _strips(records):
    rows = [(name.replace("_", " "), "fault", [record[name] for record in records])
            for name in ("missed", "feedback_lost")]  # fmt: skip
    return [row for row in rows if any(row[2])]


def _row(record, n_packets):
    """One text, HTML."""
    sent = marked(record["sent_pieces"], record["received"])
    came = escape(record["received_text"]) or "nothing"
    plain = f"<br><i>{escape(record['plain_text'])}</i>" if record["plain_text"] != record["received_text"] else ""
    lost = f"{round(record['lost_packets'] * n_packets)} of {n_packets}"
    numbers = "".join(f"<td class=n>{record[key]:.3f}</td>" for key in ("similarity", "plain_similarity"))
    return (f"<tr><td class=n>{record['slot']}</td><td>{escape(record['text'])}</td><td>{sent}</td>"
            f"<td>{came}{plain}</td><td class=n>{lost}</td>{numbers}</tr>")  # fmt: skip


def marked(pieces, received):
    """Sent pieces of SentencePiece as HTML, struck out where a token did not come; ``received`` may be empty."""
    shown = []
    for place, piece in enumerate(pieces):
        word = escape(piece.replace("\u2581", " "))
        came = bool(received) and received[place] != NOTHING
        shown.append(word if came else f"<s>{word}</s>")
    return "".join(shown).strip()


def losses_svg(records):
    """Share of packets lost of each slot over its received Es/N0, an svg element; slots of which nothing came have
    none and are left out."""
    points = [(record["channel"]["esn0_db"], record["lost_packets"]) for record in records if not record["missed"]]
    if not points:
        return "<p>Nothing came.</p>"
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    wide = max(high - low, 1e-9)
    dots = "".join(f'<circle cx="{EDGE + (x - low) / wide * (WIDTH - 2 * EDGE):.1f}" '
                   f'cy="{HEIGHT - EDGE - y * (HEIGHT - 2 * EDGE):.1f}" r="3"/>' for x, y in points)  # fmt: skip
    axes = f'<path d="M{EDGE} {EDGE}V{HEIGHT - EDGE}H{WIDTH - EDGE}"/>'
    words = [(EDGE, HEIGHT - 22, f"{low:.1f} dB"), (WIDTH - 2 * EDGE, HEIGHT - 22, f"{high:.1f} dB"),
             (6, EDGE + 4, "all"), (6, HEIGHT - EDGE, "none")]  # fmt: skip
    texts = "".join(f'<text x="{x}" y="{y}">{word}</text>' for x, y, word in words)
    about = 'role="img" aria-label="share of packets lost over Es/N0"'
    return f'<svg class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" {about}>{axes}{dots}{texts}</svg>'
