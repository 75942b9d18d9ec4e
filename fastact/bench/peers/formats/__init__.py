"""Files of models that engines read, built from a network's weights."""
