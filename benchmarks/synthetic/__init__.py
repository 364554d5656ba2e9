"""Synthetic ratings with the shape of MovieLens 20M, at any scale. To write them, run `benchmarks/generate.py`."""
