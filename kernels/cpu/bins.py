"""The layout of what the kernel of summary.py writes, and of its histograms.

A value's bin is in its own bits: the upper ones of a float32 are its exponent and the first bit of its fraction
(IEEE 754), so that there are two bins for every power of two, exactly, and no range has to be known.
"""

from __future__ import annotations

TOTAL, SQUARES, NONZERO, LOW, HIGH, PLACE = range(6)
"""Rows of the output."""
ROWS = 6

LOWEST, HIGHEST = -12, 12
"""Exponents of the first and the last edge between bins that is neither zero nor infinite."""
BINS = (HIGHEST - LOWEST) * 2 + 2
"""Bins of one sign: below the first edge, two for each power of two, and from the last edge on."""
SHIFT = 22
"""Of a float32's 32 bits, the exponent's and one of the fraction remain."""
BEFORE = (127 + LOWEST) * 2 - 1
"""What remains of the largest value in the first bin; 127 is the exponent's bias."""
