"""The commands as people and scripts use them: output, JSON, exit codes, and no traceback for a user's mistake."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mlrec import Recommender, doctor
from mlrec.artifacts import metrics_file, registry
from mlrec.dataset.demo import write_demo
from mlrec.model.train import train
from mlrec.settings import TrainSettings
from mlrec.workspace import Workspace
from tests.command_line import MLREC

METRICS = (
    "recall", "precision", "ndcg", "map", "mrr", "hit_rate",
    "novelty", "diversity", "popularity_lift", "disliked", "coverage",
)  # fmt: skip


def as_json(done) -> dict:
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


# -- the contract of --json --------------------------------------------------------------------------------------------


def test_the_whole_way_in_json(run, demo_raw, tmp_path):
    data = tmp_path / "data"
    prepared = as_json(run("prepare", "--raw", demo_raw, "--json", data=data))
    assert {"input", "settings", "steps", "rejects", "splits", "rating_histogram", "ratings_per_month"} <= set(prepared)
    assert prepared["splits"] == {"train": 54_998, "val": 6_621, "test": 7_477}

    trained = as_json(run("train", "--iterations", 3, "--json", data=data))
    assert {"model_id", "published", "settings", "seconds"} <= set(trained)
    assert trained["published"] is True
    assert trained["settings"]["iterations"] == 3

    evaluated = as_json(run("evaluate", "-k", 5, "-k", 10, "--json", data=data))
    assert evaluated["model_id"] == trained["model_id"]
    assert (evaluated["split"], evaluated["history"], evaluated["relevance"]) == ("val", "train", "liked")
    assert evaluated["ks"] == [5, 10]
    for model in ("als", "popularity"):
        figures = evaluated["models"][model]
        assert set(figures) == {f"{metric}@{k}" for metric in METRICS for k in (5, 10)}
        assert figures["ndcg@10"]["low"] < figures["ndcg@10"]["value"] < figures["ndcg@10"]["high"]
    assert set(evaluated["differences"]) == {f"als - {model}" for model in evaluated["models"] if model != "als"}
    assert set(evaluated["differences"]["als - popularity"]["ndcg@10"]) == {"value", "low", "high", "p", "p_holm"}

    listed = as_json(run("models", "list", "--json", data=data))
    assert listed["current"] == trained["model_id"]
    assert set(listed["models"][0]) == {
        "model_id", "created_at", "kind", "settings", "prepared_fingerprint", "judged_by", "note", "metrics",
    }  # fmt: skip


def test_recommend_in_json(run, demo):
    document = as_json(run("recommend", "--user", 42, "-n", 3, "--json", data=demo.root))
    assert document["user_id"] == 42
    assert [item["rank"] for item in document["items"]] == [1, 2, 3]
    assert set(document["items"][0]) == {
        "rank", "movie_id", "title", "year", "genres", "score", "taste", "source", "origin", "imdb_id", "tmdb_id",
    }  # fmt: skip


def test_similar_in_json_echoes_what_was_meant(run, demo):
    document = as_json(run("similar", "toy story", "-n", 2, "--json", data=demo.root))
    assert (document["movie_id"], document["title"]) == (1, "Toy Story")
    assert document["items"][0]["title"] == "Toy Story 2"


def test_search_in_json(run, demo):
    document = as_json(run("search", "matrix", "--json", data=demo.root))
    assert (document["items"][0]["title"], document["items"][0]["raw_title"]) == ("The Matrix", "Matrix, The")


def test_published_ndcg_goes_under_its_own_name(run, demo_copy):
    figures = as_json(run("evaluate", "--published-ndcg", "--relevance", "any", "--json", data=demo_copy.root))[
        "models"
    ]
    assert figures["als"]["published_ndcg@10"]["value"] > figures["als"]["ndcg@10"]["value"]


# -- the way of a person -----------------------------------------------------------------------------------------------


def test_baselines_that_are_asked_for_and_a_sample(run, demo_copy):
    kept = metrics_file.read_metrics(registry.resolve(Workspace(demo_copy.root)))
    done = run("evaluate", "--baseline", "ease", "--baseline", "popularity", "--sample", "50", data=demo_copy.root)
    assert "a sample of 50 users" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[3:6]] == ["als", "ease", "popularity"]
    assert metrics_file.read_metrics(registry.resolve(Workspace(demo_copy.root))) == kept  # a sample is not kept
    document = as_json(run("evaluate", "--baseline", "popularity", "--sample", "50", "--json", data=demo_copy.root))
    assert (document["sample"], document["users"]) == (50, 50)


def test_two_runs_print_the_same(run, demo):
    assert run("evaluate", data=demo.root).stdout == run("evaluate", "--threads", "1", data=demo.root).stdout


def test_replay_in_json_and_as_a_table(run, few):
    document = as_json(run("evaluate", "--replay", "--held-out-share", "0.05", "--json", data=few.root))
    assert {"protocol": "replay", "k": 10}.items() <= document.items()
    assert set(document["arms"]) > {"fold-in", "gradient", "static", "popularity"}
    assert document["curve"][0]["swipes"] == 0
    assert set(document["curve"][0]["arms"]["fold-in"]) == {"hit_rate@10", "mrr@10", "disliked@10"}
    assert set(document["differences"]["fold-in - gradient"]["hit_rate@10"]) == {"value", "low", "high", "p", "p_holm"}
    table = run("evaluate", "--replay", "-k", "20", "--held-out-share", "0.05", data=few.root).stdout
    assert "hit_rate@20" in table
    assert f"of {document['users']:,} new users" in table


def test_run_fetches_prepares_trains_and_evaluates(run, tmp_path):
    done = run("run", "demo", data=tmp_path / "data")
    for words in ("69,096", "Trained ", "popularity", "NDCG@10 on test is"):
        assert words in done.stdout
    assert "GroupLens" in done.stderr
    done = run("recommend", "--user", 42, data=tmp_path / "data")
    assert "For user 42" in done.stdout
    assert run("doctor", data=tmp_path / "data").stdout.rstrip().endswith("Next: mlrec recommend --user 42")


def test_run_final_publishes_a_model_of_everything_that_names_its_judge(run, few_raw, tmp_path):
    document = as_json(run("run", "--raw", few_raw, "--final", "--json", data=tmp_path / "data"))
    assert document["train"]["published"] is False
    assert set(document["evaluate"]) == {"val", "test"}
    shown = as_json(run("models", "show", "--json", data=tmp_path / "data"))
    assert shown["model_id"] == document["final"]["model_id"]
    assert shown["trained_on"] == ["train", "val", "test"]
    assert shown["judged_by"] == document["train"]["model_id"]
    listed = run("models", "list", data=tmp_path / "data").stdout
    judged = document["evaluate"]["test"]["models"]["als"]["ndcg@10"]["value"]
    assert f" {judged:.4f}" in listed
    assert f"~{judged:.4f}" in listed
    done = run("evaluate", data=tmp_path / "data", expect=4)
    assert "cannot be evaluated on it" in done.stderr


def test_dates_instead_of_times_are_warned_of_and_dealing_ties_is_the_way_out(run, demo_raw, tmp_path):
    """Where the lower movie ids are learned from and the higher ones held out, the model seems to be far worse."""
    raw = tmp_path / "dates"
    shutil.copytree(demo_raw, raw)
    header, *rows = (raw / "ratings.csv").read_text().splitlines()
    days = [f"{row.rpartition(',')[0]},{int(row.rpartition(',')[2]) // 86_400 * 86_400}" for row in rows]
    (raw / "ratings.csv").write_text("\n".join([header, *days]))

    ndcg = {}
    for ties in ("movie-id", "random"):
        done = run("run", "--raw", raw, "--ties", ties, "--json", data=tmp_path / ties)
        document = as_json(done)
        assert document["prepare"]["ties"]["rule"] == document["prepare"]["settings"]["ties"] == ties
        assert document["prepare"]["ties"]["users_cut_in_ties"] > 600
        ndcg[ties] = document["evaluate"]["test"]["models"]["als"]["ndcg@10"]["value"]
        warned = "Warning: The times are too coarse to split by. For 661 of 670 users" in done.stderr
        assert warned == (ties == "movie-id")
        assert ("--ties random" in done.stderr) == warned
    assert ndcg["random"] > 1.5 * ndcg["movie-id"]
    assert "coarse" in run("prepare", "--raw", raw, data=tmp_path / "movie-id").stderr
    assert run("prepare", "--raw", demo_raw, data=tmp_path / "movie-id").stderr == ""


def test_an_unknown_user_is_told_so(run, demo):
    done = run("recommend", "--user", 123456789, data=demo.root)
    assert "User 123456789 has no likes that the model knows" in done.stderr
    assert "Shawshank" in done.stdout


def test_a_search_that_finds_nothing_says_so(run, demo):
    done = run("search", "shawshenk", data=demo.root)
    assert "No title matches 'shawshenk'. Similar titles:" in done.stdout
    assert "318   The Shawshank Redemption" in done.stdout
    done = run("search", "xyzzy", data=demo.root)
    assert done.stdout == "No title matches 'xyzzy'. Try one word of the title.\n"
    assert as_json(run("search", "shawshenk", "--json", data=demo.root))["items"] == []
    assert "Similar titles: 318 The Shawshank" in run("similar", "shawshenk", data=demo.root, expect=3).stderr


def test_a_list_that_does_not_follow_its_scores_shows_none(run, demo):
    assert "score" in run("recommend", "--user", 42, data=demo.root).stdout
    for arguments in (["--user", "42", "--diversity", "0.6"], ["--user", "123456789"]):
        assert "score" not in run("recommend", *arguments, data=demo.root).stdout
        assert "score" in as_json(run("recommend", *arguments, "--json", data=demo.root))["items"][0]


def test_users_and_their_ratings(run, demo):
    document = as_json(run("users", "list", "-n", 2, "--after", 41, "--json", data=demo.root))
    assert (document["total"], document["next_after"], len(document["users"])) == (670, 43, 2)
    assert set(document["users"][0]) == {"user_id", "ratings", "swipes", "last_at"}
    shown = run("users", "list", "-n", 2, data=demo.root).stdout
    assert "2 of 670 users. Next: mlrec users list -n 2 --after 2" in shown
    assert run("users", "list", "--after", 671, data=demo.root).stdout == "There are no users with an id above 671.\n"
    assert "most liked genres" in run("users", "show", 42, data=demo.root).stdout
    profile = as_json(run("users", "show", 42, "--json", data=demo.root))
    rated = as_json(run("history", "--user", 42, "--ratings", "-n", 3, "--json", data=demo.root))["ratings"]
    assert set(rated[0]) == {"movie_id", "title", "year", "preference", "at", "split"}
    assert (len(rated), rated[-1]["at"]) == (3, profile["last_at"])
    lines = run("history", "--user", 42, "--ratings", data=demo.root).stdout.splitlines()
    assert lines[0].split() == ["when", "movie", "year", "opinion", "split", "id"]
    assert len(lines) == profile["ratings"] + 3
    assert "no ratings of user 5000" in run("history", "--user", 5000, "--ratings", data=demo.root).stdout
    assert "--ratings" in run("history", "--user", 42, "--ratings", "--csv", "-", data=demo.root, expect=2).stderr


def test_models_by_hand(run, demo_copy):
    first = as_json(run("models", "list", "--json", data=demo_copy.root))["current"]
    trained = run("train", "--iterations", 1, "--note", "one [b]sweep", "--json", data=demo_copy.root)
    second = as_json(trained)["model_id"]
    (row,) = [line for line in run("models", "list", data=demo_copy.root).stdout.splitlines() if second in line]
    assert row.startswith(f"→   {second}")
    assert row.rstrip().endswith("one [b]sweep")
    assert "one [b]sweep" in run("models", "show", data=demo_copy.root).stdout
    assert "501 characters" in run("run", "--note", "x" * 501, data=demo_copy.root, expect=2).stderr
    run("models", "use", first, data=demo_copy.root)
    assert as_json(run("models", "show", "--json", data=demo_copy.root))["model_id"] == first
    assert "is published" in run("models", "remove", first, data=demo_copy.root, expect=4).stderr
    run("models", "remove", second, data=demo_copy.root)
    assert as_json(run("models", "prune", "--keep", 1, "--json", data=demo_copy.root)) == {"deleted": []}
    assert "no model" in run("models", "use", second, data=demo_copy.root, expect=4).stderr


def test_one_user_is_not_one_users(run, small_model, tmp_path):
    shutil.copytree(small_model.root, tmp_path / "data")
    with Recommender.open(tmp_path / "data") as recommender:
        for user_id in range(1, 19):
            recommender.forget_user(user_id)
        assert "1 of 2 users. Next:" in run("users", "list", "-n", 1, data=tmp_path / "data").stdout
        recommender.forget_user(19)
    assert run("users", "list", data=tmp_path / "data").stdout.endswith("1 of 1 user.\n")


@pytest.mark.parametrize(
    "note", ["learned on a Sunday " * 25, "x" * 500, "七" * 500], ids=["words", "one word", "wide"]
)
def test_a_long_note_leaves_the_list_of_models_in_one_piece(run, small_model, tmp_path, note):
    shutil.copytree(small_model.root, tmp_path / "data")
    data = Workspace(tmp_path / "data")
    model_id = train(data, TrainSettings(factors=4, iterations=1), note=note).model_id
    header, _, *rows = run("models", "list", data=data.root).stdout.splitlines()
    assert header.split()[-1] == "note"
    assert [row[4:].split()[0] for row in rows[:2]] == registry.list_ids(data)
    (row,) = (row for row in rows if model_id in row)
    listed = row[header.index("note") :].rstrip()
    assert listed.endswith("…")
    assert 15 < len(listed) <= 40
    assert note.startswith(listed[:-1])
    assert rows[-1] == "… The note continues. To read it all: mlrec models show ID"
    shown = run("models", "show", model_id, data=data.root).stdout
    assert note.replace(" ", "") in "".join(shown.split())
    assert "…" not in shown


def test_brackets_in_titles_are_printed_as_they_are(run, tmp_path):
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "movies.csv").write_text("movieId,title,genres\n1,[REC] (2007),Horror\n2,[/b] Bold (2001),Drama\n")
    (raw / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},{3 + m},{u}{m}\n" for u in range(1, 9) for m in (1, 2))
    )
    done = run("run", "--min-movie-ratings", 1, "--min-user-ratings", 1, data=tmp_path / "data")
    assert "The model is not evaluated on this split." in done.stderr  # two ratings a user: all of them train
    found = run("search", "rec", data=tmp_path / "data").stdout + run("search", "bold", data=tmp_path / "data").stdout
    assert "[REC]" in found
    assert "[/b] Bold" in found


def test_the_data_directory_may_be_named_before_or_after_the_command(run, demo):
    for arguments in (("--data-dir", demo.root, "search", "matrix"), ("search", "matrix", "--data-dir", demo.root)):
        assert "The Matrix" in run(*arguments).stdout


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["prepare"], 3, "mlrec run demo"),
        (["train"], 3, "mlrec run demo"),
        (["evaluate"], 4, "mlrec run demo"),
        (["evaluate", "--replay"], 3, "mlrec run demo"),
        (["tune"], 3, "mlrec run demo"),
        (["tune", "--minutes", "-1"], 2, "minutes"),
        (["tune", "--study", "../main"], 2, "name of a study"),
        (["tune", "--out", "none/best.json"], 2, "no folder"),
        (["train", "--settings", "none.json"], 3, "none.json"),
        (["run", "--settings", "none.json"], 3, "none.json"),
        (["train", "--settings", "none.json", "--preset", "baseline"], 2, "--settings"),
        (["recommend", "--user", "1"], 4, "mlrec run demo"),
        (["similar", "1"], 4, "mlrec run demo"),
        (["models", "show"], 4, "mlrec run demo"),
        (["recommend"], 2, "--user"),
        (["train", "--alpha", "-1"], 2, "alpha"),
        (["prepare", "--split", "random"], 2, "user-time"),
        (["prepare", "--cut-points", "4", "3", "2"], 2, "cut-points"),
        (["prepare", "--memory-limit", "much"], 2, "memory_limit"),
        (["fetch", "ml-3m"], 2, "ml-20m"),
        (["prepare", "--ties", "random", "--split", "global-time"], 2, "user-time"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_in_an_empty_directory_each_command_says_what_to_do(run, tmp_path, arguments, code, words):
    done = run(*arguments, data=tmp_path / "data", expect=code)
    assert words in done.stderr
    assert done.stdout == ""


def test_hints_and_doctor_name_the_same_next_step(run, few_raw, tmp_path):
    data = tmp_path / "data"
    for step, make in (
        ("mlrec run demo", None),
        ("mlrec prepare", lambda: shutil.copytree(few_raw, data / "raw")),
        ("mlrec train", lambda: run("prepare", data=data)),
    ):
        if make:
            make()
        assert run("doctor", data=data).stdout.rstrip().endswith(f"Next: {step}")
        assert step in run("recommend", "--user", 1, data=data, expect=4).stderr
        assert step in run("models", "list", data=data).stdout
        if step != "mlrec train":
            assert step in run("train", data=data, expect=3).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["similar", "hamlt zzz"], 3, "No movie of the model matches"),
        (["similar", "star wars"], 3, "260 Star Wars: Episode IV"),
        (["similar", "99999999"], 3, "99999999"),
        (["recommend", "--user", "1", "--genre", "Scifi"], 2, "Sci-Fi"),
        (["recommend", "--user", "1", "--years", "soon"], 2, "1990-1999"),
        (["recommend", "--user", "1", "-n", "0"], 2, "-n"),
        (["evaluate", "--model", "20200101T000000-als-0000"], 4, "models list"),
        (["evaluate", "-k", "0"], 2, "-k"),
        (["evaluate", "--baseline", "svd"], 2, "als-baseline"),
        (["evaluate", "--ease-regularization", "0"], 2, "ease_regularization"),
        (["evaluate", "--replay", "--baseline", "ease"], 2, "--baseline"),
        (["evaluate", "--replay", "--split", "test"], 2, "--split"),
        (["evaluate", "--replay", "-k", "5", "-k", "10"], 2, "only one -k"),
    ],
)
def test_mistakes_on_a_trained_model(run, demo, arguments, code, words):
    done = run(*arguments, data=demo.root, expect=code)
    assert words in done.stderr
    assert done.stdout == ""


def test_a_damaged_model_is_told_by_doctor(run, demo_copy):
    current = (demo_copy.models / "CURRENT").read_text().strip()
    (demo_copy.models / current / "movie_embeddings.npy").write_bytes(b"")
    done = run("doctor", data=demo_copy.root, expect=4)
    assert "damaged" in done.stdout


def findings_of(run, data, expect):
    document = as_json(run("doctor", "--json", data=data, expect=expect))
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in document["findings"]:
        found.setdefault(finding["name"], []).append((finding["status"], finding["detail"]))
    return found, document["next_step"]


def test_doctor_looks_at_all_of_the_published_model_and_at_every_other_one(run, demo_copy):
    """One bit of an array that no opening reads; a description that is none; a model that was half copied."""
    published = registry.resolve(demo_copy)
    for name, damage in (("20200101T000000-als-0000", "model_info.json"), ("20200102T000000-als-0000", "R_train.npz")):
        shutil.copytree(published.root, demo_copy.models / name)
        (demo_copy.models / name / damage).write_bytes(b"{")
    shutil.copytree(published.root, demo_copy.models / "20200103T000000-als-0000")
    content = bytearray(published.train_matrix.read_bytes())
    content[1000] ^= 1
    published.train_matrix.write_bytes(content)
    found, next_step = findings_of(run, demo_copy.root, expect=4)
    ((status, detail),) = found["published model"]
    assert status == "problem"
    assert "R_train.npz has changed since it was written" in detail
    assert next_step.startswith("mlrec train")
    (first, second) = found["other models"]
    assert "20200101T000000-als-0000/model_info.json is damaged" in first[1]
    assert "mlrec models remove 20200101T000000-als-0000" in first[1]
    assert "R_train.npz has 1 bytes instead of" in second[1]
    listed = run("models", "list", data=demo_copy.root).stdout
    assert listed.count("damaged") == 2
    for model_id in ("20200101T000000-als-0000", "20200102T000000-als-0000"):
        run("models", "remove", model_id, data=demo_copy.root)
    assert "other models" not in findings_of(run, demo_copy.root, expect=4)[0]


def test_doctor_compares_the_prepared_data_with_what_was_written(run, demo_copy):
    path = demo_copy.prepared.split("val")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found, next_step = findings_of(run, demo_copy.root, expect=4)
    assert found["prepared data"] == [
        ("problem", "val.parquet has changed since it was written. Run 'mlrec prepare' again.")
    ]
    assert next_step == "mlrec prepare"
    assert "val.parquet is damaged" in run("evaluate", data=demo_copy.root, expect=4).stderr


def test_doctor_goes_on_when_a_look_fails_in_an_unforeseen_way(demo, monkeypatch):
    monkeypatch.setattr(doctor, "verify_model", lambda _: 1 / 0)
    diagnosis = doctor.diagnose(demo)
    (published,) = [finding for finding in diagnosis.findings if finding.name == "published model"]
    assert published.status == "problem"
    assert "ZeroDivisionError" in published.detail
    assert "swipes" in [finding.name for finding in diagnosis.findings]


def test_a_directory_that_cannot_be_made_is_an_error_in_plain_words(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("prepare", data=tmp_path / "file" / "data", expect=4)
    assert "Not a directory" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_an_error_in_plain_words(run, tmp_path):
    (tmp_path / "data").mkdir(mode=0o500)
    assert "Permission denied" in run("prepare", data=tmp_path / "data", expect=4).stderr


@pytest.mark.parametrize("name", ["~", "~root", "http://host/x", "file:///x", "s3://x"])
def test_a_data_directory_with_an_odd_name_is_that_directory(run, tmp_path, name):
    run("fetch", "demo", "--data-dir", name, HOME=str(tmp_path / "home"))
    folder = tmp_path.joinpath(*(part for part in name.split("/") if part))
    assert (folder / "raw" / "ratings.csv").read_bytes().count(b"\n") == 100_005


@pytest.mark.parametrize("name", ["~", "~root", "a*b[c]"])
def test_data_in_a_directory_with_an_odd_name_is_prepared_there(run, tmp_path, name):
    home = tmp_path / "home"
    (home / "prepared.new").mkdir(parents=True)  # where a ~ that is taken for the home folder would lead
    run("fetch", "demo", "--data-dir", name, HOME=str(home))
    run("prepare", "--data-dir", name, HOME=str(home))
    assert (tmp_path / name / "prepared" / "train.parquet").is_file()
    assert [path.name for path in home.rglob("*")] == ["prepared.new"]
    run("train", "--data-dir", name, HOME=str(home))
    run("recommend", "--all-users", "--out", f"{name}.parquet", "--data-dir", name, HOME=str(home))
    assert (tmp_path / f"{name}.parquet").is_file()


@pytest.mark.parametrize("words", [["--raw", "caf\udce9", "--data-dir", "data"], ["--data-dir", "caf\udce9"]], ids=len)
def test_a_directory_whose_name_is_not_utf_8_is_an_error_in_plain_words(run, tmp_path, words):
    (tmp_path / "caf\udce9" / "raw").mkdir(parents=True)
    write_demo(tmp_path / "caf\udce9")
    write_demo(tmp_path / "caf\udce9" / "raw")
    assert "the path is not valid UTF-8" in run("prepare", *words, expect=3).stderr


def test_a_full_disk_is_an_error_in_plain_words(run, demo):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [MLREC, "--data-dir", demo.root, "search", "the", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 4
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_closed_pipe_is_no_error(demo, reader):
    done = subprocess.run(
        f"set -o pipefail; {MLREC} --data-dir {demo.root} recommend --user 42 -n 1000 | {reader}",
        shell=True,
        capture_output=True,
        text=True,
        executable="/bin/bash",
        timeout=120,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    if reader != "true":
        assert done.stdout.startswith("For user 42")


# -- quiet pipes, help, start-up ---------------------------------------------------------------------------------------


def test_in_a_pipe_nothing_but_results_is_printed(run, few_raw, tmp_path):
    for arguments in (["prepare", "--raw", few_raw], ["train", "--iterations", "1"], ["evaluate"]):
        assert run(*arguments, data=tmp_path / "data").stderr == ""


def command_words() -> list[list[str]]:
    import typer

    from mlrec.cli.app import app

    commands = getattr(typer.main.get_command(app), "commands", {})
    return [
        [name, *child]
        for name, command in commands.items()
        for child in [[], *([child] for child in getattr(command, "commands", {}))]
    ]


@pytest.mark.parametrize("words", command_words(), ids=" ".join)
def test_every_command_has_help_with_an_example(run, words):
    text = run(*words, "--help", NO_COLOR="1", COLUMNS="100").stdout
    examples = text[text.index("Examples:") :]
    assert f"mlrec {' '.join(words)}" in examples


def test_help_loads_nothing_heavy():
    program = (
        "import sys; sys.argv = ['mlrec', '--help']\n"
        "from mlrec.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'duckdb', 'implicit', 'threadpoolctl', 'pandas', 'optuna'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)


def test_serving_loads_neither_training_nor_a_terminal(demo):
    program = (
        "import sys, mlrec\n"
        "with mlrec.Recommender.open(sys.argv[1]) as rec: assert rec.get_top_n(42)\n"
        "heavy = {'scipy', 'duckdb', 'implicit', 'typer', 'rich', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program, str(demo.root)], check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["help"], "Did you mean 'mlrec --help'?"),
        (["help", "train"], "Did you mean 'mlrec train --help'?"),
        (["help", "models", "list"], "Did you mean 'mlrec models list --help'?"),
        (["help", "nothing"], "Did you mean 'mlrec --help'?"),
        (["version"], "Did you mean 'mlrec --version'?"),
        (["demo"], "Did you mean 'mlrec run demo'?"),
        (["ml-20m"], "Did you mean 'mlrec run ml-20m'?"),
        (["list"], "Did you mean 'mlrec models list' or 'mlrec users list'?"),
        (["forget", "42"], "Did you mean 'mlrec users forget'?"),
        (["trian"], "Did you mean 'train'?"),
        (["models", "lst"], "Did you mean 'list'?"),
        (["quux"], "No such command 'quux'."),
    ],
    ids=str,
)
def test_a_command_that_does_not_exist_is_answered_by_one_that_does(words, suggestion):
    from typer.testing import CliRunner

    from mlrec.cli.app import app

    done = CliRunner().invoke(app, words, env={"COLUMNS": "120", "TERMINAL_WIDTH": "120"})
    assert done.exit_code == 2
    assert suggestion in done.output


def test_version(run):
    import mlrec

    assert run("--version").stdout == f"mlrec {mlrec.__version__}\n"


@pytest.mark.parametrize("package", ["typer", "duckdb"])
def test_a_command_whose_dependency_is_not_installed_says_how_to_install_it(tmp_path, package):
    program = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['mlrec', 'prepare']\n"
        "from mlrec.cli import main\n"
        "main()"
    )
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "movies.csv").write_text("movieId,title,genres\n1,Heat (1995),Crime\n")
    (tmp_path / "data" / "raw" / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,5,1\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 4
    assert f"needs the package '{package}', which is not installed" in done.stderr
    assert "pip install mlrec" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_is_missing_for_another_reason_is_a_bug_with_a_traceback():
    program = (
        "import sys; sys.modules['mlrec.cli.commands'] = None; sys.argv = ['mlrec', '--version']\n"
        "from mlrec.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("command", ["prepare", "fetch"])
def test_a_zip_with_bytes_cut_out(run, tmp_path, command):
    """The place of its directory then lies before its beginning."""
    data, path = tmp_path / "data", tmp_path / "ml-latest-small.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ratings.csv", "userId,movieId,rating,timestamp\n" + "1,1,4.0,10\n" * 99)
        archive.writestr("movies.csv", "movieId,title,genres\n1,Heat (1995),Crime\n")
    path.write_bytes(path.read_bytes()[900:])
    where = ("--raw", path) if command == "prepare" else ("ml-latest-small", "--from", path)
    done = run(command, *where, data=data, expect=3)
    assert "Error: " in done.stderr
    assert "Get it again" in done.stderr
    assert [file for file in data.rglob("*") if file.is_file() and file.name != ".lock"] == []


@pytest.mark.parametrize(
    ("arguments", "room"),
    [
        (["recommend", "--all-users", "-n", "100", "--out", "lists.parquet"], 1_000),
        (["recommend", "--all-users", "-n", "100", "--out", "lists.parquet"], 100_000),
        (["recommend", "--all-users", "-n", "100", "--out", "lists.csv"], 1_000_000),
        (["train", "--iterations", "1"], 1_000),
        (["train", "--iterations", "1"], 300_000),
        (["prepare"], 1_000),
        (["prepare"], 60_000),
    ],
)
def test_a_disk_that_is_full_while_files_are_written_is_an_error_in_plain_words(
    demo_copy, demo_raw, tmp_path, arguments, room
):
    """A file that may not grow beyond so many bytes is refused as on a full disk; nothing half-written stays."""
    raw = ["--raw", demo_raw] if arguments == ["prepare"] else []
    before = sorted(path.name for path in (*demo_copy.root.iterdir(), *demo_copy.models.iterdir()))
    done = subprocess.run(
        [MLREC, "--data-dir", demo_copy.root, *arguments, *raw],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"MLREC_STORE": "memory"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search("File too large|failed", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    after = sorted(path.name for path in (*demo_copy.root.iterdir(), *demo_copy.models.iterdir()))
    assert after == sorted({*before, ".lock"})
    run_again = subprocess.run(
        [MLREC, "--data-dir", demo_copy.root, "doctor"], capture_output=True, text=True, timeout=120
    )
    assert run_again.returncode == 0, run_again.stdout
