"""Model files of rivals, built from a chain's weights."""
