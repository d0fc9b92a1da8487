# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands, one file each: options become dataclasses, and the library is called."""
