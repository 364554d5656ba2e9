"""Synthetic ratings of MovieLens 20M's shape at any scale; `benchmarks/generate.py` is the way in."""
