"""Model files of rivals, built from a network's weights."""
