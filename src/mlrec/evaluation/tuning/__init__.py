"""Tuning: search for training settings in trials that are kept on disk."""
