# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of ``./twist``."""

from tokenlink.cli.main import console

if __name__ == "__main__":
    console()
