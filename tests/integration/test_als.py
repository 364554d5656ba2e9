"""Training on a checkerboard: users like the movies of their own parity and hate the others, so the result is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from mlrec.model.als import fit
from mlrec.settings import TrainSettings

SIZE = 40
SAME_PARITY = (np.add.outer(np.arange(SIZE), np.arange(SIZE)) % 2) == 0


def checkerboard() -> sparse.csr_matrix:
    """Likes on one colour, dislikes on the other; each user's own movie on the diagonal is unrated."""
    board = np.where(SAME_PARITY, 2.0, -2.0)
    np.fill_diagonal(board, 0.0)
    return sparse.csr_matrix(board.astype(np.float32))


def settings(dislikes) -> TrainSettings:
    own = TrainSettings(factors=8, regularization=0.1, alpha=2.0, iterations=15, dislikes=dislikes, random_seed=1)
    return own.resolved(SIZE)


@pytest.mark.parametrize("dislikes", ["zero", "ignore"])
def test_the_unrated_movie_of_the_own_colour_scores_above_all_of_the_other(dislikes):
    factors = fit(checkerboard(), settings(dislikes), threads=1)
    scores = factors.users @ factors.movies.T
    assert (np.diag(scores) > np.where(SAME_PARITY, -np.inf, scores).max(axis=1)).all()


def test_dislikes_as_likes_teach_that_people_love_what_they_hate():
    """The fault of the baseline, kept as a preset and never as a default."""
    factors = fit(checkerboard(), settings("as-likes"), threads=1)
    scores = factors.users @ factors.movies.T
    assert scores[~SAME_PARITY].mean() > 0.8
    assert TrainSettings().dislikes != "as-likes"


def test_progress_counts_iterations():
    from contextlib import contextmanager

    steps = []

    class Recorder:
        @contextmanager
        def task(self, label, total=None, unit=""):
            steps.append((total, unit))
            yield self

        def advance(self, amount=1):
            steps.append(amount)

    fit(checkerboard(), settings("ignore"), threads=1, progress=Recorder())
    assert steps == [(15, "iterations"), *[1] * 15]
