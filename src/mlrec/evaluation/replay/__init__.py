"""Replay: evaluate how a model learns from swipes, by replaying new users event by event."""
