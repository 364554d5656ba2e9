"""A study: its first trial, its draws, its early stops, and how it continues an unfinished journal."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial

import pytest

from mlrec.errors import (
    DataChangedError,
    IncompatibleFormatError,
    MissingExtraError,
    StudyChangedError,
    TrainingFailedError,
    WorkspaceLockedError,
)
from mlrec.evaluation.tuning.study import Counts, Origin, open_study
from mlrec.locks import exclusive
from mlrec.settings import TrainSettings
from mlrec.workspace import StudyFiles

ORIGIN = Origin("fingerprint", "ndcg@10", "val", "liked", 0, 42)
LIKES = 31_000
"""Likes for which λ is 20 by default, and too few for a start on a part of the users."""
MANY_LIKES = 400_000


def quality(settings, tell=None) -> float:
    """A smooth hill: best at alpha 8, half-life 20."""
    return 1 / (1 + math.log(settings.alpha / 8) ** 2 + math.log(settings.half_life / 20) ** 2)


@pytest.fixture
def files(tmp_path):
    return StudyFiles(tmp_path / "tuning", "hill")


def settings_of_trials(files, trials, *, origin=ORIGIN, fresh=False, n_likes=LIKES):
    """Run trials, and return the settings of each in their order."""
    seen = []

    def judge(settings, tell):
        seen.append(settings)
        return quality(settings)

    with open_study(files, origin, n_likes, fresh=fresh) as study:
        while study.counts.finished < trials:
            study.run_trial(judge)
    return seen


def test_the_first_trial_is_of_the_default_settings_and_the_others_lie_in_the_space(files):
    first, *others = settings_of_trials(files, 40)
    assert first == TrainSettings().started().resolved(LIKES)
    assert first.regularization == 20
    for settings in others:
        assert 16 <= settings.factors <= 192
        assert settings.factors % 8 == 0
        assert 4 <= settings.regularization <= 100
        assert 0.25 <= settings.alpha <= 40
        assert 4 <= settings.iterations <= 30
        assert settings.dislikes in ("zero", "ignore")
        assert settings.fold_in_dislikes in ("zero", "ignore")
        assert 2 <= settings.half_life <= 200
        assert 1 <= settings.feedback_weight <= 20
        assert 0 <= settings.item_item_weight <= 0.95
        assert 2 <= settings.item_item_half_life <= 200
        assert settings.random_seed == 42
    assert len(set(others)) == len(others)


def test_on_much_data_every_trial_has_the_default_start(files):
    first, *others = settings_of_trials(files, 20, n_likes=MANY_LIKES)
    assert first == TrainSettings().started().resolved(MANY_LIKES)
    assert {settings.starts_on for settings in [first, *others]} == {0.2}
    assert {settings.sweeps for settings in others} <= set(range(1, 13))


def test_a_study_from_before_there_was_a_start_goes_on_without_it(files):
    began = settings_of_trials(files, 2, origin=replace(ORIGIN, space_version=2), n_likes=MANY_LIKES)
    went_on = settings_of_trials(files, 4, n_likes=MANY_LIKES)
    assert {settings.starts_on for settings in [*began, *went_on]} == {0.0}
    assert began[0].sweeps == 10


def test_the_search_finds_the_hill(files):
    tried = settings_of_trials(files, 50)
    with open_study(files, ORIGIN, LIKES) as study:
        best, *rest = study.best(5)
        assert set(study.importance()) == {
            "factors", "regularization", "alpha", "iterations", "dislikes", "fold_in_dislikes", "half_life",
            "feedback_weight", "item_item_weight", "item_item_half_life",
        }  # fmt: skip
        assert set(list(study.importance())[:2]) == {"alpha", "half_life"}
    assert best.value == max(map(quality, tried)) == quality(best.settings) > 0.8
    assert [trial.value for trial in rest] == sorted((trial.value for trial in rest), reverse=True)


def test_a_study_that_was_left_and_gone_on_with_is_the_same_as_one_in_one_go(files, tmp_path):
    whole = settings_of_trials(StudyFiles(tmp_path / "other", "hill"), 30)
    parts = [settings for trials in (1, 7, 20, 30) for settings in settings_of_trials(files, trials)]
    assert parts == whole


def test_another_seed_draws_others(files):
    first = settings_of_trials(files, 5)
    second = settings_of_trials(files, 5, origin=replace(ORIGIN, random_seed=7), fresh=True)
    assert first[0] == replace(second[0], random_seed=42)
    assert not {settings.alpha for settings in first[1:]} & {settings.alpha for settings in second[1:]}


def test_a_trial_that_does_worse_than_most_at_the_same_sweep_ends_early(files):
    reached = []

    def judge(settings, tell, value):
        for sweeps in (6, 12):
            reached.append(sweeps)
            tell(sweeps, value)
        return value

    with open_study(files, ORIGIN, LIKES) as study:
        for number in range(8):
            study.run_trial(partial(judge, value=0.5 + number / 32))
        assert study.counts == Counts(8, 0, 0)
        reached.clear()
        study.run_trial(lambda settings, tell: judge(settings, tell, 0.1))
        assert reached == [6]
        study.run_trial(lambda settings, tell: judge(settings, tell, 0.9))
        assert reached == [6, 6, 12]
        assert study.counts == Counts(9, 1, 0)
        assert [trial.value for trial in study.best(2)] == [0.9, 0.71875]


def test_settings_that_cannot_be_trained_are_counted_and_do_not_end_the_search(files):
    def fails(settings, tell):
        raise TrainingFailedError("not finite")

    with open_study(files, ORIGIN, LIKES) as study:
        study.run_trial(fails)
        study.run_trial(quality)
        assert study.counts == Counts(1, 1, 0)


def test_of_equal_trials_the_earlier_is_the_better(files):
    with open_study(files, ORIGIN, LIKES) as study:
        for _ in range(3):
            study.run_trial(lambda settings, tell: 0.5)
        assert [trial.number for trial in study.best(3)] == [0, 1, 2]


# -- what is left of an interrupted one --------------------------------------------------------------------------------


def interrupted(settings, tell):
    raise KeyboardInterrupt


def test_an_interrupted_trial_is_run_again_and_counts_as_failed(files, tmp_path):
    whole = settings_of_trials(StudyFiles(tmp_path / "other", "hill"), 20)
    for done in (0, 18):
        settings_of_trials(files, done)
        with pytest.raises(KeyboardInterrupt), open_study(files, ORIGIN, LIKES) as study:
            study.run_trial(interrupted)
    assert settings_of_trials(files, 20) == whole[18:]
    with open_study(files, ORIGIN, LIKES) as study:
        assert study.counts == Counts(20, 0, 2)
        assert study.best(20)[-1].value == min(map(quality, whole))


def test_a_journal_cut_anywhere_in_its_last_trial_goes_on_as_if_it_had_not_been(files):
    settings_of_trials(files, 2)
    two = files.journal.stat().st_size
    third = settings_of_trials(files, 3)
    whole = files.journal.read_bytes()
    for end in range(two, len(whole), 97):
        files.journal.write_bytes(whole[:end])
        assert settings_of_trials(files, 3) == third
        assert settings_of_trials(files, 3) == []


def test_a_journal_cut_before_the_first_trial_begins_anew(files):
    whole = settings_of_trials(files, 2)
    journal = files.journal.read_bytes()
    for end in range(0, journal.index(b"factors"), 83):
        files.journal.write_bytes(journal[:end])
        assert settings_of_trials(files, 2) == whole


@pytest.mark.parametrize("damage", [b"nonsense\n", b'{"op_code": 99}\n', b"[]\n", b"\xff\xfe\n", b"5\n"])
def test_a_damaged_journal_is_told_and_fresh_begins_anew(files, damage):
    settings_of_trials(files, 2)
    files.journal.write_bytes(damage + files.journal.read_bytes())
    with pytest.raises(IncompatibleFormatError, match="damaged"), open_study(files, ORIGIN, LIKES):
        pass
    assert len(settings_of_trials(files, 2, fresh=True)) == 2


def refused(files, words):
    with pytest.raises(IncompatibleFormatError, match=words) as error, open_study(files, ORIGIN, LIKES):
        pass
    assert str(files.journal) in error.value.message
    assert "--fresh" in error.value.hint


def test_a_digit_of_a_value_that_has_changed_is_noticed(files):
    """Another trial would be the best one."""
    settings_of_trials(files, 3)
    content = files.journal.read_bytes()
    place = content.rindex(b'"values":[0.') + len(b'"values":[0.')
    files.journal.write_bytes(content[:place] + (b"1" if content[place] != ord("1") else b"2") + content[place + 1 :])
    refused(files, r"line \d+ has changed since it was written")


def without_checksums(files):
    """The journal as an earlier version wrote it."""
    lines = [json.loads(line) for line in files.journal.read_bytes().splitlines()]
    assert all(isinstance(line.pop("crc32"), int) for line in lines)
    files.journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def test_a_journal_of_an_earlier_version_goes_on(files, tmp_path):
    whole = settings_of_trials(StudyFiles(tmp_path / "other", "hill"), 20)
    settings_of_trials(files, 10)
    without_checksums(files)
    assert settings_of_trials(files, 20) == whole[10:]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"study_name":"hill"', b'"study_name":"bill"', "another study"),
        (b'"user_attr":{"mlrec"', b'"user_attr":{"mlrek"', "unknown origin"),
        (b'"settings":{"factors":64', b'"settings":{"factors":-4', "factors must be between"),
        (b'"settings":{"factors"', b'"settings":{"faktors"', "settings.factors is missing"),
        (b'"settings":{', b'"settinks":{', "lacks its settings"),
        (b'"values":[0', b'"values":[NaN,0', "damaged"),
        (b'"op_code":5', b'"op_code":55', "damaged"),
    ],
)
def test_what_a_study_cannot_hold_is_damage_also_without_checksums(files, old, new, words):
    settings_of_trials(files, 2)
    without_checksums(files)
    content = files.journal.read_bytes()
    assert old in content
    files.journal.write_bytes(content.replace(old, new, 1))
    refused(files, words)


# -- what must not be mixed --------------------------------------------------------------------------------------------


def test_trials_on_other_data_are_refused(files):
    settings_of_trials(files, 2)
    with (
        pytest.raises(DataChangedError, match="made on other prepared data") as caught,
        open_study(files, replace(ORIGIN, prepared_fingerprint="other"), LIKES),
    ):
        pass
    assert "--study NEW" in caught.value.hint
    assert "--fresh" in caught.value.hint
    assert len(settings_of_trials(files, 2)) == 0  # as it was


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"random_seed": 7}, "--random-seed 42"),
        ({"sample": 100}, "--sample 0"),
        ({"metric": "recall@10"}, "--study NEW"),
    ],
)
def test_trials_of_another_kind_are_refused(files, change, words):
    settings_of_trials(files, 1)
    with pytest.raises(StudyChangedError) as caught, open_study(files, replace(ORIGIN, **change), LIKES):
        pass
    assert words in caught.value.hint


def test_a_study_of_a_later_space_is_refused(files):
    settings_of_trials(files, 1, origin=replace(ORIGIN, space_version=99))
    with pytest.raises(StudyChangedError) as caught, open_study(files, ORIGIN, LIKES):
        pass
    assert "--study NEW" in caught.value.hint


def test_a_study_of_an_earlier_space_goes_on_without_item_item_weights(files):
    began = settings_of_trials(files, 3, origin=replace(ORIGIN, space_version=1))
    went_on = settings_of_trials(files, 6)
    assert {settings.item_item for settings in [*began, *went_on]} == {"off"}
    with open_study(files, ORIGIN, LIKES) as study:
        assert study.default.item_item == "off"
        assert {trial.settings.item_item for trial in study.best(6)} == {"off"}


def test_two_cannot_tune_one_study_at_once(files):
    settings_of_trials(files, 1)
    with (
        exclusive(files.journal),
        pytest.raises(WorkspaceLockedError, match="Another process"),
        open_study(files, ORIGIN, LIKES),
    ):
        pass
    assert len(settings_of_trials(files, 2)) == 1


def test_optuna_that_is_missing_is_an_extra(files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtraError) as caught, open_study(files, ORIGIN, LIKES):
        pass
    assert "mlrec[tune]" in caught.value.hint
    assert not files.root.exists()


def test_optuna_is_silent_and_left_as_it_was(files, capfd):
    from optuna import logging

    before = logging.get_verbosity()
    settings_of_trials(files, 3)
    assert logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
