# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws docs/figures/architecture.svg: the rooms of the library, and what imports what, read from the files.

    python docs/draw_architecture.py            # after a change of imports or of what a room says of itself

An arrow means that some file of the upper room imports one of the lower; what follows from two arrows is not drawn.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY, BLOCKS = ROOT / "python" / "tokenlink", ROOT / "gr-twist" / "python" / "twist"
PICTURE = ROOT / "docs" / "figures" / "architecture.svg"
MODULE = "gr-twist"
#: where each room stands, row by row from top to bottom; only this is drawn by hand
PLACES = (
    (None, None, "cli", None, None),
    ("bench", "hosts", None, "prepare", "report"),
    (None, "loop", None, "study", "train"),
    (MODULE, "radio", "evidence", None, None),
    ("process", "systems", None, None, None),
    ("wire", "control", None, "measure", "models"),
    (None, None, "link", None, "data"),
    (None, "channel", "phy", None, None),
    (None, "files", None, None, None),
)
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 216, 66, 26, 40, 12
WORDS = 36  # characters of a line in a box
COLOURS = {"arrays": "#e8f1f8", "torch": "#f9ecdc", "process": "#e7f3e6", MODULE: "#efe6f5", "cli": "#eeeeee"}
LEGEND = {"arrays": "arrays and files", "torch": "networks", "process": "processes and what they say",
          MODULE: "the GNU Radio module"}  # fmt: skip
#: packages worth naming in a box
NAMED = ("gnuradio", "torch", "onnxruntime", "zmq", "numba", "llvmlite", "dask", "matplotlib", "typer", "panda3d")


def imported(path, root):
    """Absolute names of all modules a file imports, anywhere in it; ``root`` is the folder of its top package."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return names


def rooms_of(modules):
    """Rooms of the library that are imported, known or not; what belongs to the package itself is none."""
    parts = [module.split(".") for module in modules]
    return {each[1] for each in parts if each[0] == "tokenlink" and len(each) > 1 and not each[1].startswith("_")}


def read_rooms():
    """What each room imports.

    Returns
    -------
    dict   room -> (set of rooms, set of other packages); the GNU Radio module is one of them
    """
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).parts
        if len(parts) > 1:
            _note(found, parts[0], imported(path, LIBRARY.parent))
    for path in sorted(BLOCKS.glob("*.py")):
        if not path.name.startswith("qa_"):
            _note(found, MODULE, imported(path, BLOCKS.parent))
    return {room: (rooms - {room}, others) for room, (rooms, others) in found.items()}


def _note(found, room, modules):
    rooms, others = found.setdefault(room, (set(), set()))
    rooms |= rooms_of(modules)
    others |= {module.split(".")[0] for module in modules}


def arrows(rooms):
    """Pairs (upper, lower) that do not follow from others."""
    reach = {}

    def below(room):
        if room not in reach:
            reach[room] = set().union(*(below(each) | {each} for each in rooms[room][0]), set())
        return reach[room]

    pairs = []
    for room, (used, _) in rooms.items():
        pairs += [(room, each) for each in used if not any(each in below(other) for other in used - {each})]
    return sorted(pairs)


def purpose(room):
    """First sentence a room says of itself."""
    path = (BLOCKS if room == MODULE else LIBRARY / room) / "__init__.py"
    return ast.get_docstring(ast.parse(path.read_text())).split(". ")[0].removesuffix(".").replace("``", "")


def kind(room, rooms):
    """Key of COLOURS."""
    used, others = rooms[room]
    if room in ("cli", MODULE):
        return room
    if "process" in used or {"subprocess", "zmq"} & others:
        return "process"
    return "torch" if "torch" in others else "arrays"


def places():
    """Upper left corner of each room's box."""
    corners = {}
    for row, names in enumerate(PLACES):
        for column, name in enumerate(names):
            if name:
                corners[name] = MARGIN + column * (WIDTH + GAP_X), MARGIN + row * (HEIGHT + GAP_Y)
    return corners


def svg():
    """The picture as text; the same for the same imports.

    Raises
    ------
    ValueError   a room without a place, or an import that does not run down the page
    """
    rooms, corners = read_rooms(), places()
    if missing := rooms.keys() ^ corners.keys():
        raise ValueError(f"{', '.join(sorted(missing))}: a room without a place in PLACES, or a place without a room")
    pairs = arrows(rooms)
    if wrong := [f"{a} imports {b}" for a, b in pairs if corners[a][1] >= corners[b][1]]:
        raise ValueError(f"not drawn downwards: {'; '.join(wrong)}")
    width = max(x for x, _ in corners.values()) + WIDTH + MARGIN
    height = max(y for _, y in corners.values()) + HEIGHT + 40
    parts = [
        "<!-- made by docs/draw_architecture.py; SPDX-License-Identifier: GPL-3.0-or-later -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" role="img" '
        f'aria-label="rooms of the library and their imports">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    parts += [_arrow(corners[a], corners[b]) for a, b in pairs]
    for name in sorted(corners):
        parts.append(_box(name, *corners[name], kind(name, rooms), [each for each in NAMED if each in rooms[name][1]]))
    parts += [_legend(height - 22)]
    return "\n".join([*parts, "</svg>", ""])


def _arrow(upper, lower):
    x0, y0, x1, y1 = upper[0] + WIDTH / 2, upper[1] + HEIGHT, lower[0] + WIDTH / 2, lower[1]
    shift = 0.32 * max(-WIDTH, min(WIDTH, (x1 - x0) / 3))  # arrows that come from one side meet a box on that side
    x0, x1 = x0 + shift, x1 - shift
    bend = (y1 - y0) / 2
    path = f"M{x0:.0f},{y0} C{x0:.0f},{y0 + bend:.0f} {x1:.0f},{y1 - bend:.0f} {x1:.0f},{y1}"
    return f'<path d="{path}" fill="none" stroke="#777" stroke-width="1.2" marker-end="url(#tip)"/>'


def _box(name, x, y, colour, packages):
    lines = textwrap.wrap(purpose(name), WORDS)
    text = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{COLOURS[colour]}" stroke="#888"/>',
            f'<text x="{x + 9}" y="{y + 17}" font-size="13" font-weight="bold">{escape(name)}</text>',
            f'<text x="{x + WIDTH - 8}" y="{y + 16}" font-size="9.5" fill="#666" text-anchor="end" '
            f'font-style="italic">{", ".join(packages)}</text>']
    text += [f'<text x="{x + 9}" y="{y + 31 + 12 * i}" font-size="10" fill="#333">{escape(line)}</text>'
             for i, line in enumerate(lines)]
    return "\n".join(text)


def _legend(y):
    parts, x = [], MARGIN
    for name, text in LEGEND.items():
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[name]}" stroke="#888"/>'
                     f'<text x="{x + 18}" y="{y + 10}" font-size="11">{text}</text>')
        x += 40 + 7 * len(text)
    return "".join(parts)


if __name__ == "__main__":
    PICTURE.write_text(svg())
    print(PICTURE.relative_to(ROOT), file=sys.stderr)
