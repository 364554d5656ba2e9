"""Events of the same time at the cuts of a split: counts, and a warning if they decide what a model is evaluated on."""

from __future__ import annotations

from typing import NamedTuple

from mlrec.settings import TieRule

# Measured on the demo data with ever coarser times. The pairs are NDCG@10 on test, with ties broken by movie id and at
# random. For 2% of the users, ties decide half or more of the held-out events with the original times (0.124, 0.122).
# The share is 11% with whole minutes (0.120, 0.125), and 27% if every fourth user has no times (0.124, 0.160). The
# share of users with a cut between ties tells less: 30%, 81% and 46%.
_WARN_ABOVE_SHARE = 0.2


class Ties(NamedTuple):
    """How many users a split by user-time cuts between events of the same time."""

    users: int
    """Users with held-out events."""
    users_cut_in_ties: int
    """Those of them for whom a cut separates two events of the same time."""
    users_held_out_by_ties: int
    """Those of them for whom at least half of the held-out events have the time of the last event learned from."""

    def warning(self, rule: TieRule) -> str | None:
        """A warning for the user; None if ties do not matter."""
        if rule != "movie-id" or self.users_held_out_by_ties <= _WARN_ABOVE_SHARE * self.users:
            return None
        return (
            f"The times are too coarse to split by. For {self.users_cut_in_ties:,} of {self.users:,} users, the split"
            f" cuts between events of the same time. For {self.users_held_out_by_ties:,} of them, such events are at"
            " least half of the held-out events, and movie ids decide what a model is evaluated on. Metrics come out"
            " too low, and a worse model may win. Use data with finer times, or order such events at random with"
            ' --ties random (in Python: ties="random").'
        )
