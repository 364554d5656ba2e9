"""Settings refuse what cannot work; every error has an exit code."""

# mypy: disable-error-code="arg-type"
# Values of another type are what is tested here.

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec import errors
from mlrec.cli.exit_codes import exit_code
from mlrec.errors import shown
from mlrec.settings import (
    EvaluateSettings,
    FoldInSettings,
    GateSettings,
    GradientSettings,
    PrepareSettings,
    ServeSettings,
    Settings,
    SparkSettings,
    TrainSettings,
    TuneSettings,
)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PrepareSettings(min_user_ratings=0),
        lambda: PrepareSettings(min_user_ratings=10**39),
        lambda: PrepareSettings(min_movie_ratings=10**39),
        lambda: PrepareSettings(cut_points=(3.5, 2.5, 4.5)),
        lambda: PrepareSettings(cut_points=(2.5, 3.5, 5.0), max_rating=5.0),
        lambda: PrepareSettings(split_ratio=(0, 1, 1)),
        lambda: PrepareSettings(max_reject_share=2),
        lambda: PrepareSettings(memory_limit="lots"),
        lambda: PrepareSettings(user_offset=2**62),
        lambda: TrainSettings(factors=0),
        lambda: TrainSettings(alpha=-1),
        lambda: TrainSettings(regularization=math.nan),
        lambda: TrainSettings(half_life=0),
        lambda: TrainSettings(iterations=0),
        lambda: TrainSettings(iterations=10_001),
        lambda: GateSettings(largest_loss=-0.01),
        lambda: GateSettings(largest_loss=1.0),
        lambda: GateSettings(largest_loss=math.nan),
        lambda: TuneSettings(trials=0),
        lambda: TuneSettings(minutes=-1),
        lambda: TuneSettings(minutes=math.nan),
        lambda: TuneSettings(study="../main"),
        lambda: TuneSettings(study=""),
        lambda: TuneSettings(sample=-1),
        lambda: EvaluateSettings(ks=()),
        lambda: EvaluateSettings(ks=(10, 0)),
        lambda: EvaluateSettings(ks=(10, 10)),
        lambda: PrepareSettings(max_rating=math.inf),
        lambda: GradientSettings(learning_rate=1e300),
        lambda: GradientSettings(max_norm=math.inf),
    ],
)
def test_a_value_that_cannot_work_is_refused(make):
    with pytest.raises(errors.SettingsError):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TrainSettings(factors="64"), "factors must be a whole number, not '64'"),
        (lambda: TrainSettings(factors=64.0), "factors must be a whole number, not 64.0"),
        (lambda: TrainSettings(threads=True), "threads must be a whole number, not True"),
        (lambda: TrainSettings(alpha="2"), "alpha must be a number, not '2'"),
        (lambda: TrainSettings(alpha=True), "alpha must be a number, not True"),
        (lambda: TrainSettings(alpha=10**400), "alpha is too large"),
        (lambda: TrainSettings(dislikes=["zero"]), "dislikes must be one of zero, ignore, as-likes, not ['zero']"),
        (lambda: TrainSettings.preset("best"), "preset must be one of default, baseline, not 'best'"),
        (lambda: ServeSettings(handover=2.5), "handover must be a whole number, not 2.5"),
        (lambda: ServeSettings(gradient={"norm": "cap"}), "gradient must be GradientSettings"),
        (lambda: PrepareSettings(split_ratio=(8, 1)), "split_ratio must be 3 values, not (8, 1)"),
        (lambda: PrepareSettings(split_ratio=8), "split_ratio must be a tuple, not 8"),
        (lambda: PrepareSettings(memory_limit=10**9), "memory_limit must be a string"),
        (lambda: EvaluateSettings(ks=(10, "20")), "each value of ks must be a whole number, not '20'"),
        (lambda: EvaluateSettings(baselines="ease"), "baselines must be a tuple"),
        (lambda: EvaluateSettings(baselines=("svd",)), "each value of baselines must be one of popularity"),
        (lambda: EvaluateSettings(published_ndcg=1), "published_ndcg must be True or False, not 1"),
        (lambda: SparkSettings(conf=(("spark.ui.enabled", True),)), "must be a string, not True"),
        (lambda: FoldInSettings.from_json([]), "settings must be an object of alpha"),
        (lambda: FoldInSettings.from_json({"alhpa": 2}), "alhpa is unknown"),
        (lambda: FoldInSettings.from_json({"alpha": "2"}), "alpha must be a number"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(make, words):
    with pytest.raises(errors.SettingsError) as caught:
        make()
    assert words in caught.value.message


ALL_SETTINGS = Settings.__subclasses__()
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=3),
    st.complex_numbers(), st.lists(st.one_of(st.integers(), st.text(max_size=2)), max_size=3),
    st.tuples(st.integers(), st.integers()),
    st.sampled_from([10**5000, object(), len, {}, np.array([1, 2]), np.float64(2), "2026-01-01", {1: 2}]),
)  # fmt: skip


@given(data=st.data())
def test_settings_are_made_or_refused_whatever_is_given_for_them(data):
    settings = data.draw(st.sampled_from(ALL_SETTINGS))
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(settings)]))
    junk = data.draw(JUNK)
    try:
        made = settings(**{name: junk})
    except errors.SettingsError as error:
        refusal = error.message
    else:
        refusal = ""
        assert hash(made) == hash(dataclasses.replace(made))
    assert len(refusal) < 300


def test_what_is_as_good_as_the_type_is_taken_and_becomes_pythons_own():
    made = TrainSettings(factors=np.int64(8), alpha=np.float32(2), regularization=Fraction(1, 2), half_life=3)
    assert made == TrainSettings(factors=8, alpha=2.0, regularization=0.5, half_life=3.0)
    assert [type(value) for value in (made.factors, made.alpha, made.regularization, made.half_life)] == [
        int,
        *[float] * 3,
    ]
    assert EvaluateSettings(ks=[5, np.int8(10)]).ks == (5, 10)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bob", "'bob'"),
        ("x" * 10_000, None),
        ([0] * 10**6, None),
        (1 << 20_000, None),
        (np.arange(4).reshape(2, 2), "array([[0, 1], [2, 3]])"),
        ("\x1b[2J\u202e\udcff", r"'\x1b[2J\u202e\udcff'"),
    ],
    ids=["text", "long text", "long list", "number of 6,000 digits", "array", "text that acts on a terminal"],
)
def test_a_value_is_shown_in_one_short_line(value, text):
    assert len(shown(value)) <= 70
    assert shown(value).isprintable()
    assert text is None or shown(value) == text


def test_the_baseline_preset_is_the_published_configuration():
    baseline = TrainSettings.preset("baseline")
    assert (baseline.factors, baseline.alpha, baseline.regularization, baseline.iterations) == (64, 15, 0.1, 15)
    assert baseline.dislikes == baseline.fold_in_dislikes == "as-likes"
    assert baseline.half_life == math.inf
    assert baseline.user_vectors == "trained"


def test_a_preset_can_be_changed_in_single_values():
    assert TrainSettings.preset("baseline", alpha=3.0).alpha == 3.0
    assert TrainSettings.preset("baseline", alpha=3.0).regularization == 0.1


@pytest.mark.parametrize("half_life", [7.0, math.inf])
def test_fold_in_settings_survive_json(half_life):
    rule = FoldInSettings(half_life=half_life)
    assert FoldInSettings.from_json(rule.to_json()) == rule


def test_on_val_history_is_train_and_on_test_both_unless_told_otherwise():
    assert EvaluateSettings(split="val").history_splits == ("train",)
    assert EvaluateSettings(split="test").history_splits == ("train", "val")
    assert EvaluateSettings(split="test", history="train").history_splits == ("train",)


def subclasses(cls):
    return {cls} | {deeper for direct in cls.__subclasses__() for deeper in subclasses(direct)}


@pytest.mark.parametrize("error", sorted(subclasses(errors.MlrecError) - {errors.MlrecError}, key=str))
def test_every_error_has_an_exit_code(error):
    expected = {errors.SettingsError: 2, errors.InputError: 3, errors.StateError: 4}
    assert exit_code(error) == next(code for branch, code in expected.items() if issubclass(error, branch))


def test_regularization_follows_the_number_of_likes_unless_it_is_given():
    assert TrainSettings().regularization is None
    assert TrainSettings().resolved(31_000).fold_in.regularization == pytest.approx(20)
    found = [TrainSettings().resolved(n).fold_in.regularization for n in (1, 4_000, 31_000, 500_000, 9_000_000)]
    assert found == sorted(found)
    assert 200 < found[-1] < 300
    assert TrainSettings(regularization=7.0).resolved(9_000_000).fold_in.regularization == 7
    assert TrainSettings.preset("baseline").resolved(9_000_000).fold_in.regularization == 0.1


@pytest.mark.parametrize(
    ("settings", "n_likes", "share", "sweeps"),
    [
        (TrainSettings(), 99_999, 0.0, 10),
        (TrainSettings(), 100_000, 0.2, 3),
        (TrainSettings(iterations=7), 99_999, 0.0, 7),
        (TrainSettings(iterations=7), 100_000, 0.2, 7),
        (TrainSettings(start_share=0), 100_000, 0.0, 10),
        (TrainSettings(start_share=0.5), 10, 0.5, 3),
        (TrainSettings(start_share=0.5), 1_600_000, 0.5, 1),
        (TrainSettings(start_share=0.5), 1_599_999, 0.5, 3),
        (TrainSettings(), 3_999_999, 0.2, 3),
        (TrainSettings(), 4_000_000, 0.2, 1),
        (TrainSettings(), 8_000_000, 0.1, 1),
        (TrainSettings(), 7_964_287, 0.1005, 1),
        (TrainSettings(iterations=4), 8_000_000, 0.1, 4),
        (TrainSettings.preset("baseline"), 9_000_000, 0.0, 15),
        (TrainSettings().warm_started(3_999_999), 9_000_000, 0.0, 3),
        (TrainSettings().warm_started(4_000_000), 9_000_000, 0.0, 2),
        (TrainSettings(iterations=2).warm_started(9_000_000), 9_000_000, 0.0, 2),
    ],
)
def test_the_fit_follows_the_number_of_likes_unless_it_is_given(settings, n_likes, share, sweeps):
    resolved = settings.resolved(n_likes)
    assert (resolved.starts_on, resolved.sweeps) == (share, sweeps)
    assert resolved.left_to_size == ()


def test_settings_of_versions_without_a_start_have_none():
    """They are the ones with a number of iterations and no word about the start."""
    old = {name: value for name, value in TrainSettings(iterations=10).to_json().items() if name != "start_share"}
    assert TrainSettings.from_json(old).resolved(9_000_000).starts_on == 0
    assert TrainSettings.from_json({"alpha": 3}) == TrainSettings(alpha=3)
    assert TrainSettings.from_json({"iterations": "auto"}) == TrainSettings()


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, math.nan])
def test_a_start_is_on_a_share_of_the_users(value):
    with pytest.raises(errors.SettingsError, match="start_share must be 0"):
        TrainSettings(start_share=value)


def test_what_starts_from_a_model_does_not_start_on_a_part_of_the_users():
    with pytest.raises(errors.SettingsError, match="exclude each other"):
        TrainSettings(start_share=0.2).warm_started(31_000)


def test_spark_has_no_start():
    assert TrainSettings().without_start().resolved(9_000_000).sweeps == 10
    with pytest.raises(errors.SettingsError, match="Spark"):
        TrainSettings(start_share=0.2).without_start()
