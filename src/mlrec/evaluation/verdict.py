"""The verdict of the gate: what the figures of two models for the same users allow one to say.

It is a test of non-inferiority (Piaggio et al. 2012, JAMA 308(24)): the new model may lose a margin, and no more.
docs/decisions/0018 has the measured error rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.metrics_file import Verdict
from mlrec.evaluation.bootstrap import Bootstrap, difference
from mlrec.evaluation.estimates import Difference

# If the interval reaches further than this many margins to either side, chance decides as often as the models do. A new
# model is then published only if it leads with this p.
_WIDEST = 3
_CERTAIN_P = 0.002

# Quantiles of the normal distribution: for 95% and for 99.8% intervals, and for deciding in 80% of all cases.
_Z95, _Z998, _Z_POWER = 1.960, 3.090, 0.842

_MADE_UP = 2


@dataclass(frozen=True)
class Decision:
    """What the figures of two models say.

    Attributes
    ----------
    verdict
        "publish": a loss of more than the margin is excluded. "worse": it is certain that there is a loss.
        "too-few-users": neither.
    difference
        New minus published, paired by user. Its interval is the one that decides; see `decide`.
    margin
        The largest loss that is accepted, in the unit of the figures.
    users, users_who_differ
        Number of users, and of those for whom the two models have different figures.
    users_needed
        About how many users would do, if the difference stays what it is: with them, the gate decides in 80% of all
        cases. None if it has decided, or if nothing can be said.
    """

    verdict: Verdict
    difference: Difference
    margin: float
    users: int
    users_who_differ: int
    users_needed: int | None


def bootstrap_for(n_users: int, resamples: int, random_seed: int) -> Bootstrap:
    """Return the bootstrap that `decide` needs for some number of users."""
    return Bootstrap(n_users + _MADE_UP, resamples, random_seed)


def decide(
    new: NDArray[np.float64], published: NDArray[np.float64], largest_loss: float, bootstrap: Bootstrap
) -> Decision:
    """Decide whether a new model may be published.

    Two made-up users join the real ones: one loses, and one gains, what the published model achieves on average for the
    users for whom it finds anything. Without them, a few users who happen to agree would look certain, and users for
    whom both models find nothing would have an interval of width 0. The idea is that of Agresti & Caffo (2000). Beyond
    some hundred users, the made-up ones hardly count.

    Parameters
    ----------
    new, published
        The figure of each user, (users,), 0 to 1.
    largest_loss
        The largest loss that is accepted, as a share of the published model's mean.
    bootstrap
        See `bootstrap_for`.
    """
    gaps = new - published
    margin = largest_loss * float(published.mean())
    found = published[published > 0]
    typical = float(found.mean()) if len(found) else 1.0
    resampled = bootstrap.ratios(np.append(gaps, [-typical, typical]), np.ones(len(gaps) + _MADE_UP))
    lead = difference(float(gaps.mean()), resampled)
    verdict = verdict_of(lead, margin)
    return Decision(
        verdict,
        lead,
        margin,
        users=len(gaps),
        users_who_differ=int(np.count_nonzero(gaps)),
        users_needed=users_needed(gaps, typical, margin) if verdict == "too-few-users" else None,
    )


def verdict_of(lead: Difference, margin: float) -> Verdict:
    """Return the verdict on a paired difference, new minus published.

    A loss that is certain but surely within the margin is accepted: that is what a margin is for.
    """
    if lead.low is None or lead.high is None or lead.p is None:
        return "too-few-users"
    is_precise = lead.high - lead.low <= 2 * _WIDEST * margin
    leads_for_certain = lead.value > 0 and lead.p <= _CERTAIN_P
    if lead.low > -margin and (is_precise or leads_for_certain):
        return "publish"
    return "worse" if lead.is_below else "too-few-users"


def users_needed(gaps: NDArray[np.float64], typical: float, margin: float) -> int | None:
    """Return about how many users would do, or None if nothing can be said.

    The standard error must be so small that the nearest verdict is reached in 80% of all cases, as in the usual formula
    for sample sizes of non-inferiority trials (Julious 2004, Statistics in Medicine 23(12)). The made-up users count.

    Parameters
    ----------
    gaps
        New minus published by user, (users,).
    typical
        What each of the two made-up users gains or loses.
    margin
        As in `verdict_of`.
    """
    mean, variance, n_users = float(gaps.mean()), float(gaps.var()), len(gaps)
    standard_error = max(
        min((margin + mean) / (_Z95 + _Z_POWER), _WIDEST * margin / _Z95),  # publish
        mean / (_Z998 + _Z_POWER),  # publish, with a lead that is certain
        -mean / (_Z95 + _Z_POWER),  # worse
    )
    if n_users < 2 or standard_error <= 0:
        return None
    # Solve variance / n + 2 · typical² / n² = standard_error² for n.
    square = standard_error**2
    needed = (variance + math.sqrt(variance**2 + 8 * typical**2 * square)) / (2 * square)
    return _rounded_up(max(needed, n_users + 1))


def _rounded_up(number: float) -> int:
    """Return a whole number with two digits that count, not below the given one."""
    unit: int = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit
