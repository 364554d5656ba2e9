"""Tuning on real data: the value of a trial, that test stays unused, and interrupts of every kind."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import duckdb
import pytest

from mlrec.artifacts.settings_file import read_settings
from mlrec.dataset.prepare import prepare
from mlrec.dataset.reading import read_prepared
from mlrec.errors import (
    DataChangedError,
    IncompatibleFormatError,
    PreparedDataMissingError,
    SettingsError,
    StudyChangedError,
)
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.tuning import search
from mlrec.evaluation.tuning.search import Verdict, tune
from mlrec.model import als
from mlrec.model.train import train
from mlrec.settings import EvaluateSettings, PrepareSettings, TrainSettings, TuneSettings
from mlrec.workspace import Workspace
from tests.processes import started, wait_until

MLREC = str(Path(sys.executable).with_name("mlrec"))
SMALL = PrepareSettings(min_movie_ratings=5)
TRIALS = 14


@pytest.fixture(scope="session")
def small_raw(demo_raw, tmp_path_factory) -> Path:
    """The first 60 users of the demo data."""
    folder = tmp_path_factory.mktemp("small-raw")
    shutil.copy(demo_raw / "movies.csv", folder)
    with (
        (demo_raw / "ratings.csv").open(newline="") as source,
        (folder / "ratings.csv").open("w", newline="") as target,
    ):
        rows = csv.reader(source)
        writer = csv.writer(target)
        writer.writerow(next(rows))
        writer.writerows(row for row in rows if int(row[0]) <= 60)
    return folder


@pytest.fixture(scope="session")
def _small(small_raw, tmp_path_factory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("small"))
    prepare(workspace, SMALL, raw=small_raw)
    return workspace


@pytest.fixture
def small(_small, tmp_path) -> Workspace:
    """A copy of the small data, prepared, that a test may change."""
    workspace = Workspace(tmp_path / "data")
    shutil.copytree(_small.root, workspace.root)
    return workspace


@pytest.fixture(scope="session")
def tuned(_small, tmp_path_factory) -> search.Tuned:
    """A study in one go."""
    workspace = Workspace(tmp_path_factory.mktemp("tuned"))
    shutil.copytree(_small.root, workspace.root, dirs_exist_ok=True)
    return tune(workspace, TuneSettings(threads=1, trials=TRIALS))


def without_circumstances(result: search.Tuned) -> dict:
    """What must not depend on when, where and in how many runs the study was made."""
    document = result.to_json()
    del document["seconds"], document["settings_file"]
    return document


# -- what it finds -----------------------------------------------------------------------------------------------------


def test_a_trial_is_judged_as_evaluate_does_and_so_is_the_best_on_test(small):
    result = tune(small, TuneSettings(threads=1, trials=1))
    assert result.is_default
    assert result.test is not None
    train(small, TrainSettings(movies="core"))  # what tuning looks at
    parts: list[tuple[Verdict, Literal["val", "test"]]] = [(result.val, "val"), (result.test, "test")]
    for verdict, split in parts:
        assert verdict.split == split
        judged = evaluate(small, EvaluateSettings(split=split, users="others", relevance_within="core", baselines=()))
        assert verdict.models["best"] == verdict.models["default"] == judged.models["als"]
        assert (verdict.users, verdict.history) == (judged.users, judged.history)
    assert result.best.value == result.val.models["best"]["ndcg@10"].value


def test_the_best_is_at_least_as_good_as_the_default_on_validation(tuned):
    figures = tuned.val.models
    assert tuned.best.value == figures["best"]["ndcg@10"].value >= figures["default"]["ndcg@10"].value
    lead = tuned.val.differences["best - default"]["ndcg@10"]
    assert lead.value == pytest.approx(figures["best"]["ndcg@10"].value - figures["default"]["ndcg@10"].value)
    assert tuned.counts.finished == TRIALS
    assert tuned.counts.pruned > 0
    assert tuned.top[0] == tuned.best


def test_the_settings_file_trains_the_model_that_was_judged(tuned, small):
    settings = read_settings(tuned.settings_file)
    assert settings == tuned.best.settings
    train(small, replace(settings, movies="core"))
    judged = evaluate(small, EvaluateSettings(split="test", users="others", relevance_within="core", baselines=()))
    assert judged.models["als"] == tuned.test.models["best"]
    study = json.loads(tuned.settings_file.read_text())["study"]
    assert study["test"]["best"]["value"] == tuned.test.models["best"]["ndcg@10"].value


def test_the_same_seed_gives_the_same_study_and_threads_do_not_matter(tuned, small):
    assert without_circumstances(tune(small, TuneSettings(threads=2, trials=TRIALS))) == without_circumstances(tuned)


def test_no_model_is_written(small):
    tune(small, TuneSettings(threads=1, trials=2))
    assert not small.models.exists()
    assert sorted(path.name for path in (small.root / "tuning").iterdir()) == ["main.journal", "main.json"]


def test_trials_may_be_judged_by_a_sample_and_the_verdict_is_by_all(small):
    result = tune(small, TuneSettings(threads=1, trials=2, sample=20))
    assert result.best.value != result.val.models["best"]["ndcg@10"].value
    assert result.val.users > 20


# -- test is left alone ------------------------------------------------------------------------------------------------


def test_the_search_does_not_read_test(tuned, small):
    """Where the test part is no data at all, the search is the same, and only the last look fails."""
    small.prepared.split("test").write_bytes(b"nonsense")
    with pytest.raises(IncompatibleFormatError, match="cannot be read"):
        tune(small, TuneSettings(threads=1, trials=TRIALS))
    small.prepared.split("test").write_bytes((tuned.settings_file.parents[1] / "prepared/test.parquet").read_bytes())
    found = tune(small, TuneSettings(threads=1, trials=TRIALS))
    assert found.seconds["search"] < 5  # the trials were all there
    assert without_circumstances(found) == without_circumstances(tuned)


def test_without_likes_in_test_the_verdict_is_on_validation_alone(small):
    path = small.prepared.split("test")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE events AS FROM read_parquet('{path}')")
        connection.execute(f"COPY (FROM events WHERE preference < 0) TO '{path}' (FORMAT parquet)")
    result = tune(small, TuneSettings(threads=1, trials=1))
    assert result.test is None
    assert result.to_json()["test"] is None
    assert json.loads(result.settings_file.read_text())["study"]["test"] is None


# -- budgets and interrupts --------------------------------------------------------------------------------------------


def test_a_larger_number_of_trials_goes_on_and_the_same_one_only_looks_again(tuned, small):
    for trials in (3, TRIALS, TRIALS):
        result = tune(small, TuneSettings(threads=1, trials=trials))
        assert result.counts.finished == trials
    assert without_circumstances(result) == without_circumstances(tuned)


def test_a_budget_of_time_ends_the_search_with_a_result(small):
    assert tune(small, TuneSettings(threads=1, minutes=1e-9)).counts.finished == 1
    assert tune(small, TuneSettings(threads=1, minutes=1e-9)).counts.finished == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tuned, small, how):
    command = [MLREC, "--data-dir", str(small.root), "tune", "--trials", str(TRIALS), "--threads", "1"]
    with started(command, stderr=subprocess.PIPE) as process:

        def in_the_middle() -> bool:
            """Whether the second trial has begun."""
            assert process.poll() is None
            return small.study("main").journal.exists() and sum(op["op_code"] == 4 for op in lines(small)) >= 2

        wait_until(in_the_middle)
        process.send_signal(how)
        _, messages = process.communicate(timeout=60)
    assert "Traceback" not in messages
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again" in messages
    result = tune(small, TuneSettings(threads=1, trials=TRIALS))
    assert result.counts == replace(tuned.counts, failed=1)
    # Numbers of trials are shifted by the one that was interrupted.
    assert [(trial.value, trial.settings) for trial in result.top] == [
        (trial.value, trial.settings) for trial in tuned.top
    ]


def lines(workspace: Workspace) -> list[dict]:
    """The complete lines of a journal that is being written."""
    text = workspace.study("main").journal.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def test_a_trial_that_ends_early_trains_no_further(small, monkeypatch):
    trained = []
    fit = als.fit

    def counting(preferences, settings, threads, progress, after_sweep=None):
        sweeps = []

        def after(sweep, movie_factors):
            sweeps.append(sweep)
            after_sweep(sweep, movie_factors)

        try:
            return fit(preferences, settings, threads, progress, after_sweep and after)
        finally:
            trained.append((settings.iterations, len(sweeps)))

    monkeypatch.setattr(als, "fit", counting)
    result = tune(small, TuneSettings(threads=1, trials=TRIALS))
    stopped = [(iterations, done) for iterations, done in trained[:TRIALS] if done < iterations]
    assert len(stopped) == result.counts.pruned > 0
    assert {done for _, done in stopped} <= {6, 12, 24}


# -- what it refuses ---------------------------------------------------------------------------------------------------


def test_other_data_other_seed_and_other_sample_are_refused(small, small_raw):
    tune(small, TuneSettings(threads=1, trials=1))
    settings = TuneSettings(threads=1, trials=2)
    for changed in (replace(settings, random_seed=7), replace(settings, sample=50)):
        with pytest.raises(StudyChangedError):
            tune(small, changed)
    prepare(small, replace(SMALL, min_movie_ratings=6), raw=small_raw)
    with pytest.raises(DataChangedError):
        tune(small, TuneSettings(threads=1, trials=2))
    assert tune(small, TuneSettings(threads=1, trials=1, study="other")).counts.finished == 1
    assert tune(small, TuneSettings(threads=1, trials=2), fresh=True).counts.finished == 2


def test_data_that_changes_while_it_is_tuned_on_is_told(small, small_raw, monkeypatch):
    def changing(workspace, splits=("train", "val", "test")):
        if splits == ("train", "val", "test"):
            prepare(small, replace(SMALL, min_movie_ratings=6), raw=small_raw)
        return read_prepared(workspace, splits)

    monkeypatch.setattr(search, "read_prepared", changing)
    with pytest.raises(DataChangedError, match="changed during the tuning"):
        tune(small, TuneSettings(threads=1, trials=1))
    assert not small.study("main").settings.exists()


def test_a_file_that_cannot_be_written_is_refused_before_the_search(small, tmp_path):
    places = [tmp_path / "none" / "best.json", tmp_path, small.study("main").journal, str(tmp_path)]
    if Path("/proc/self").exists():  # a folder in which no file can be made, not even by root
        places.append("/proc/self/best.json")
    for out in places:
        small.study("main").root.mkdir(exist_ok=True)
        with pytest.raises(SettingsError):
            tune(small, TuneSettings(threads=1, trials=1), out=out)
        assert not small.study("main").journal.exists()


def test_nothing_is_written_to_a_directory_without_prepared_data(tmp_path):
    with pytest.raises(PreparedDataMissingError):
        tune(Workspace(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


# -- the sweeps of ALS -------------------------------------------------------------------------------------------------


def test_what_is_raised_after_a_sweep_ends_the_training(small):
    from mlrec.dataset.reading import read_prepared
    from mlrec.model.matrix import number_rows, signed_matrix

    interactions = number_rows(read_prepared(small).events, ("train",))
    preferences = signed_matrix(interactions.history.only(("train",)), len(interactions.movie_ids))
    settings = TrainSettings(factors=8, iterations=5).resolved(1000)
    seen = {}

    def keep(sweep, movie_factors):
        seen[sweep] = movie_factors.copy()
        if sweep == 3:
            raise StopIteration

    with pytest.raises(StopIteration):
        als.fit(preferences, settings, 1, after_sweep=keep)
    assert list(seen) == [1, 2, 3]
    three = als.fit(preferences, replace(settings, iterations=3), 1)
    assert (three.movies == seen[3]).all()
