# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write, read without trusting it; what a command will write, looked at beforehand."""
