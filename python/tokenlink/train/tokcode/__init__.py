# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of TokCode's vocabulary, foundation model, sentence encoder and token encoder."""
