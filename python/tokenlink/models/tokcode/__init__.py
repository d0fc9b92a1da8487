# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of the TokCode system: vocabulary, small T5, sentence encoder, token encoder, and what it is compared with."""
