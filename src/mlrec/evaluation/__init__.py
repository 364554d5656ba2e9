"""Judging a model on held-out movies."""
