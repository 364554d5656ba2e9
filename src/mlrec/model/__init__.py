"""The prepared folder to a model folder."""
