"""Events of the same time at the cuts of a split: counted, and told where they decide what a model is judged by."""

from __future__ import annotations

from typing import NamedTuple

from mlrec.settings import TieRule

# Measured on the demo data, its times made coarser: NDCG@10 on test with ties cut by movie id, and dealt at random.
# Where ties hold out half or more of what is held out of 2% of the users (the times as they are, with a third of all
# rows in ties) it is .124 and .122, of 11% (whole minutes) .120 and .125, of 27% (every fourth user without times) .124
# and .160. The plain share of users with a cut between ties says less: it is 30%, 81% and 46%.
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
            f"The times are too coarse to split by. {self.users_cut_in_ties:,} of {self.users:,} users have events of"
            f" the same time on both sides of a cut; for {self.users_held_out_by_ties:,} of them, these are half or"
            " more of what is held out. There, movie ids decide what a model is judged by: its figures come out too"
            " low, and a worse model may win. Get finer times, or deal such events at random with '--ties random'"
            ' (in Python: ties="random").'
        )
