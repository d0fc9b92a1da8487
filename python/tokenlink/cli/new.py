# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist new``: a beginning for what one adds oneself."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from tokenlink.cli.options import writable_folder
from tokenlink.files.places import PACKAGE, shipped

#: template -> the file that is made of it
FILES = {"block.py.in": "{}.py", "block.yml.in": "{}.block.yml", "qa_block.py.in": "qa_{}.py"}
_NAME = re.compile("[a-z][a-z0-9_]{1,60}")

app = typer.Typer(help="A block of your own. Example: ./twist new block token_counter", no_args_is_help=True)


@app.callback()
def new():
    """A beginning for what you add yourself."""


@app.command()
def block(
    name: Annotated[str, typer.Argument(help="Lower case, such as token_counter; also of its files and its class.")],
    folder: Annotated[Path, typer.Option(help="Where to put them.", callback=writable_folder)] = Path("."),
) -> None:
    """Write a GNU Radio block of your own with its description for GRC and its test, all of which work as they are.

    Example: ./twist new block token_counter --folder my_blocks
    """
    made = write_block(name, folder)
    search = f"$PWD:{shipped('gr-twist', 'path')}:{PACKAGE.parent}:$PYTHONPATH"
    print(f"made {', '.join(path.name for path in made)}; ./twist grc then shows it among [Own], and\n"
          "./twist loopback --flowgraph runs flowgraphs with it. For both, and to test it:")  # fmt: skip
    print(f'  cd "{folder.resolve()}"')
    print(f'  export PYTHONPATH="{search}" GRC_BLOCKS_PATH="$PWD:$GRC_BLOCKS_PATH"')
    print(f'  "{sys.executable}" {made[-1].name}')


def write_block(name, folder):
    """Files of a new block (str) in a folder, made if need be; list of Path.

    Raises
    ------
    ValueError        a name that no block can have
    FileExistsError   one of the files is there already
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(f"name is {name!r}, expected a Python name in lower case, such as token_counter")
    paths = {template: Path(folder) / pattern.format(name) for template, pattern in FILES.items()}
    for path in paths.values():
        if path.exists():
            raise FileExistsError(f"{path} is there already: choose another name or --folder")
    Path(folder).mkdir(parents=True, exist_ok=True)
    values = {"name": name, "title": name.replace("_", " ").title()}
    for template, path in paths.items():
        text = (resources.files("tokenlink.cli") / "templates" / template).read_text()
        path.write_text(Template(text).substitute(values))
    return list(paths.values())
