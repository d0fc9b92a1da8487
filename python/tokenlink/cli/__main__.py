# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of ``./twist``."""

from tokenlink.cli.main import app

app(prog_name="./twist")
