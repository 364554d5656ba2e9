"""Events of the same time at the cuts of a split: counted, and told where they decide what a model is judged by."""

from __future__ import annotations

from typing import NamedTuple

from mlrec.settings import TieRule

# Measured on the demo data with coarser and coarser times: NDCG@10 on test, ties cut by movie id, and dealt at random.
# With the times as they are, ties decide half or more of what is held out for 2% of the users (.124, .122); with whole
# minutes for 11% (.120, .125); with every fourth user without times for 27% (.124, .160). The plain share of users with
# a cut between ties says less: 30%, 81% and 46%.
_SHARE_TO_WARN_OF = 0.2


class Ties(NamedTuple):
    """How many users a split of each user's history cuts between events of the same time."""

    users: int
    """Users of whom something is held out."""
    users_cut_in_ties: int
    """Those of them with two events of the same time on both sides of a cut."""
    users_held_out_by_ties: int
    """Those of whom half or more of what is held out has the time of the last event to learn from."""

    def warning(self, rule: TieRule) -> str | None:
        """What a person should know of it; None if all is well."""
        if rule != "movie-id" or self.users_held_out_by_ties <= _SHARE_TO_WARN_OF * self.users:
            return None
        return (
            f"The times are too coarse to split by. For {self.users_cut_in_ties:,} of {self.users:,} users the split"
            f" cuts between events of the same time. For {self.users_held_out_by_ties:,} of them such events are half"
            " or more of what is held out. There, movie ids decide what a model is judged by: figures come out too low,"
            " and a worse model may win. Get finer times, or deal such events at random: --ties random (in Python:"
            ' ties="random").'
        )
