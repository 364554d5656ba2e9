"""Settings refuse what cannot work; every error has an exit code."""

from __future__ import annotations

import math

import pytest

from mlrec import errors
from mlrec.cli.exit_codes import exit_code
from mlrec.settings import EvaluateSettings, FoldInSettings, PrepareSettings, TrainSettings, TuneSettings


@pytest.mark.parametrize(
    "make",
    [
        lambda: PrepareSettings(min_user_ratings=0),
        lambda: PrepareSettings(cut_points=(3.5, 2.5, 4.5)),
        lambda: PrepareSettings(cut_points=(2.5, 3.5, 5.0)),
        lambda: PrepareSettings(split_ratio=(0, 1, 1)),
        lambda: PrepareSettings(max_reject_share=2),
        lambda: PrepareSettings(memory_limit="lots"),
        lambda: PrepareSettings(user_offset=2**62),
        lambda: TrainSettings(factors=0),
        lambda: TrainSettings(alpha=-1),
        lambda: TrainSettings(regularization=math.nan),
        lambda: TrainSettings(half_life=0),
        lambda: TrainSettings(iterations=0),
        lambda: TuneSettings(trials=0),
        lambda: TuneSettings(minutes=-1),
        lambda: TuneSettings(minutes=math.nan),
        lambda: TuneSettings(study="../main"),
        lambda: TuneSettings(study=""),
        lambda: TuneSettings(sample=-1),
        lambda: EvaluateSettings(ks=()),
        lambda: EvaluateSettings(ks=(10, 0)),
        lambda: EvaluateSettings(ks=(10, 10)),
    ],
)
def test_a_value_that_cannot_work_is_refused(make):
    with pytest.raises(errors.SettingsError):
        make()


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
