"""Fetching raw MovieLens files, turning them into the prepared folder, and reading that folder."""
