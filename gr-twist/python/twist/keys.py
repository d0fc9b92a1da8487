# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the metadata keys; no other file spells them."""

# Of every PDU from the token source to the token sink.
SLOT = "slot"  # int, controller decision interval
SEQ = "seq"  # int, number the sender gave the frame
MODE_ID = "mode_id"  # int, row of the mode table
SOURCE_TIME_S = "source_time_s"  # float, monotonic clock when the token source received the frame, s
TIMINGS = "timings"  # dict, block name -> seconds spent in it

# Channel state as the receiver knows it.
CHANNEL_GAIN = "channel_gain"  # complex h
N0 = "n0"  # float, total noise variance, linear
ESN0_DB = "esn0_db"  # float, received Es/N0, |h|^2 / n0 in dB

CHANNEL_GAINS = "channel_gains"  # c32vector [n_symbols], h symbol by symbol, where it wanders within a burst

# Of a burst.
SYSTEM = "system"  # str, kind of payload
PAYLOAD_SYMBOLS = "payload_symbols"  # int, payload channel uses, pilots not counted
CFO_HZ = "cfo_hz"  # float, carrier offset, Hz
START_SAMPLE = "start_sample"  # float, instant of the first preamble symbol, samples since the stream began
POWER_DBFS = "power_dbfs"  # float, mean power of the samples, full scale 1
CLIPPED = "clipped"  # int, samples at full scale
COHERENCE = "coherence"  # float, share of the received energy that is the preamble, in [0, 1]
OVERLAPPED = "overlapped"  # bool, began before the burst before it had ended
LOST = "lost"  # bool, nothing came of this slot

# Stream tags, named as in gr-uhd.
TX_SOB = "tx_sob"  # bool, first sample of a burst
TX_EOB = "tx_eob"  # bool, last sample of a burst
TX_TIME = "tx_time"  # tuple of uint64 and double, s and fraction
RX_TIME = "rx_time"  # the same; time of the sample, in metadata of the first preamble symbol
RX_RATE = "rx_rate"  # float, sample/s
PACKET_LEN = "packet_len"  # int, samples of a burst

# Results of the receiver.
ITERATIONS = "iterations"  # s32vector [n_groups], LDPC iterations
PARITY_OK = "parity_ok"  # u8vector 0/1 [n_groups], all checks hold
CONFIDENCE = "confidence"  # f32vector [n_tokens], in [0, 1]
ERASED = "erased"  # u8vector 0/1 [n_tokens], 1 = not trusted

# Of a picture as tokens with analogue symbols.
KEPT = "kept"  # u8vector 0/1 [n_positions], 1 = the token of this position was sent

# What the twin expects of a slot, and what the decoder made of it.
VOCAB_SIZE = "vocab_size"  # int, codes of the codebook
N_TOKENS = "n_tokens"  # int, positions of a frame
CODEBOOK = "codebook"  # str, mark of the codes; empty: not known
PRIOR_LISTED = "prior_listed"  # s32vector [n_tokens * k], the k likeliest codes of each position, raster order
PRIOR_PROBABILITY = "prior_probability"  # f32vector [n_tokens * k], theirs; behind the decoder with its doubt mixed in
PRIOR = "prior"  # str, what the frame was decoded with: used, none, missing, refused, foreign_...
PRIOR_DOUBT = "prior_doubt"  # float, share of "anything may come" in the prior, in [0, 1]
PRIOR_EXCHANGES = "prior_exchanges"  # int, how often prior and decoder told each other
OVERDUE = "overdue"  # bool, the priors of this slot and those before are waited for no longer

# The PDU that says that another run of mode commands, or of priors, begins.
START = "start"  # bool

# The PDU that ends a run.
END = "end"  # bool
REASON = "reason"  # str, empty when all went well
SAMPLES = "samples"  # int, samples of the stream up to the middle of the last gap, where a framer says so
