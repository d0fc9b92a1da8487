# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of ``./twist``, and how a command line is run.

Errors are one sentence; with ``--debug`` anywhere on the command line, or TWIST_DEBUG=1, with their traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

import typer

from tokenlink.cli.bench import app as bench
from tokenlink.cli.claims import claims
from tokenlink.cli.demo import demo
from tokenlink.cli.doctor import doctor
from tokenlink.cli.error_text import sentence_of
from tokenlink.cli.evaluate import evaluate
from tokenlink.cli.figure import figure
from tokenlink.cli.grc import grc
from tokenlink.cli.host import app as host
from tokenlink.cli.keys import keys
from tokenlink.cli.loopback import loopback
from tokenlink.cli.new import app as new
from tokenlink.cli.prepare import prepare
from tokenlink.cli.radio import app as radio
from tokenlink.cli.report import report
from tokenlink.cli.run_tests import PASSED_ON, test
from tokenlink.cli.train import app as train
from tokenlink.process.memory import keep_memory

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    help="Tokens over a real radio link. Example: ./twist demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="--debug after any command shows the traceback of an error; so does TWIST_DEBUG=1.",
)
app.command()(demo)
app.command()(loopback)
app.command()(doctor)
app.command()(grc)
app.command()(evaluate)
app.command()(figure)
app.command()(claims)
app.command()(report)
app.command()(keys)
app.command()(prepare)
app.command(context_settings=PASS_ON)(test)
app.add_typer(radio, name="radio")
app.add_typer(train, name="train")
app.add_typer(bench, name="bench")
app.add_typer(host, name="host")
app.add_typer(new, name="new")


@app.command(context_settings=PASS_ON | {"help_option_names": []})
def render(context: typer.Context) -> None:
    """Render labelled frames into a folder, for training. Example: ./twist render --out frames --invented 2"""
    from tokenlink.cli.render import main  # draws, so that its imports are heavy

    main(context.args)


def run_app(arguments):
    """Run the command line and return the exit code.

    Parameters
    ----------
    arguments : list of str   without the program's name
    """
    keep_memory()
    if "--debug" in arguments and arguments[:1] != [PASSED_ON]:
        arguments = [word for word in arguments if word != "--debug"]
        os.environ["TWIST_DEBUG"] = "1"
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
    try:
        app(arguments, prog_name="./twist")
    except SystemExit as end:
        return end.code
    except Exception as error:
        if os.environ.get("TWIST_DEBUG"):
            traceback.print_exc()
        print(f"twist: {sentence_of(error)}", file=sys.stderr)
        return 1
    return 0


def console():
    """The command line as an installed program: arguments of the process, and its exit code."""
    sys.exit(run_app(sys.argv[1:]))
