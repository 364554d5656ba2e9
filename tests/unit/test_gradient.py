"""The gradient rule: steps worked out by hand, norms, and that order matters only where the norm is limited."""

from __future__ import annotations

import numpy as np
import pytest

from mlrec.errors import SettingsError
from mlrec.ranking.gradient import gradient_vector
from mlrec.settings import GradientSettings, ServeSettings

FACTORS = np.array([[1.0, 0.0], [0.0, 2.0], [30.0, 0.0]], dtype=np.float32)
START = np.array([0.5, 0.5], dtype=np.float32)


def stepped(swipes, settings=GradientSettings(), start=START):  # noqa: B008
    rows, preferences = zip(*swipes, strict=True) if swipes else ((), ())
    return gradient_vector(
        start, FACTORS, np.array(rows, dtype=np.int32), np.array(preferences, dtype=np.int8), settings
    )


def test_steps_by_hand():
    """η = 0.05, and p̃ is the preference itself."""
    np.testing.assert_allclose(stepped([(0, 2)]), [0.6, 0.5], rtol=1e-6)
    np.testing.assert_allclose(stepped([(0, 1), (1, -2)]), [0.55, 0.3], rtol=1e-6)
    np.testing.assert_allclose(stepped([(0, -1)]), [0.45, 0.5], rtol=1e-6)
    np.testing.assert_allclose(stepped([(-1, 2)]), START)
    np.testing.assert_allclose(stepped([]), START)


def test_the_norm_is_capped_or_held_at_one():
    capped = stepped([(2, 2)] * 20, GradientSettings(learning_rate=1.0))
    assert np.linalg.norm(capped) == pytest.approx(10.0, rel=1e-6)
    unit = stepped([(1, 1)], GradientSettings(norm="unit"))
    assert np.linalg.norm(unit) == pytest.approx(1.0, rel=1e-6)
    zero = stepped([(0, 2)], GradientSettings(learning_rate=0.5), np.array([-1.0, 0.0], dtype=np.float32))
    assert zero.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: GradientSettings(learning_rate=0),
        lambda: GradientSettings(norm="both"),  # type: ignore[arg-type]
        lambda: GradientSettings(max_norm=-1),
        lambda: ServeSettings(rule="guess"),  # type: ignore[arg-type]
        lambda: ServeSettings(handover=-1),
        lambda: ServeSettings(cold_diversity=2),
        lambda: ServeSettings(refresh_seconds=-1),
        lambda: ServeSettings(cached_users=-1),
    ],
)
def test_settings_that_cannot_work_are_refused(make):
    with pytest.raises(SettingsError):
        make()
