"""Judging how a model learns from swipes: new users are replayed event by event."""
