# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of the adaptive system: a vision transformer that drops tokens, and pairs that make symbols of the rest."""
