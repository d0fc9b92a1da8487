# SPDX-License-Identifier: GPL-3.0-or-later
"""The distributions this project promises to run on, and what they bring that nothing is installed over."""

from dataclasses import dataclass

DEBIAN, UBUNTU = "http://deb.debian.org/debian", "http://archive.ubuntu.com/ubuntu"


@dataclass(frozen=True)
class Distribution:
    """One row of the table.

    Parameters
    ----------
    name, suite : str    as people and as the mirror call it
    python, numpy : str  versions that it ships
    """

    name: str
    suite: str
    python: str
    numpy: str

    @property
    def folder(self):
        """Name of its root's folder."""
        return self.name.lower().replace(" ", "-")

    @property
    def is_ubuntu(self):
        """Whether it is one of Ubuntu's, with GNU Radio in universe."""
        return self.name.startswith("Ubuntu")

    @property
    def mirror(self):
        """Where debootstrap fetches it."""
        return UBUNTU if self.is_ubuntu else DEBIAN

    @property
    def sources(self):
        """Lines of its sources.list: what a machine that is kept up to date has."""
        parts = "main universe" if self.is_ubuntu else "main"
        security = f"{UBUNTU} {self.suite}-security" if self.is_ubuntu else f"{DEBIAN}-security {self.suite}-security"
        places = [f"{self.mirror} {self.suite}", f"{self.mirror} {self.suite}-updates", security]
        return "".join(f"deb {place} {parts}\n" for place in places)


DISTRIBUTIONS = (
    Distribution("Debian 12", "bookworm", "3.11", "1.24.2"),
    Distribution("Debian 13", "trixie", "3.13", "2.2.4"),
    Distribution("Ubuntu 22.04", "jammy", "3.10", "1.21.5"),
    Distribution("Ubuntu 24.04", "noble", "3.12", "1.26.4"),
    Distribution("Ubuntu 26.04", "resolute", "3.14", "2.3.5"),
)
#: versions are made for these too; debootstrap (1.0.141) cannot read their archive, which has SHA-512 sums alone
NOT_BOOTSTRAPPED = (Distribution("Ubuntu 26.10", "stonking", "3.14", "2.4.6"),)
