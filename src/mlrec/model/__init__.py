"""Training: turns the prepared folder into a model folder."""
