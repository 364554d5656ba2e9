"""Evaluating, comparing and the gate, as people and scripts use them."""

from __future__ import annotations

import json

import pytest

from mlrec.artifacts import registry
from tests.cli.test_commands import as_json


def test_protocols_and_segments_in_json_and_as_tables(run, demo):
    found = as_json(run("evaluate", "--protocol", "global-time", "--baseline", "popularity", "--json", data=demo.root))
    assert (found["protocol"], found["trained_anew"], found["ks"]) == ("global-time", True, [10])
    assert {segment["by"] for segment in found["segments"]} == {"history", "popularity", "pause"}
    shown = run("evaluate", "--protocol", "held-out-users", "--baseline", "popularity", "--segments", data=demo.root)
    for words in (
        "capped_recall@50",
        "ndcg@100",
        "20 to 49",
        "least popular",
        "Liang et al. 2018",
        "Nothing was written",
    ):
        assert words in shown.stdout
    usual = run("evaluate", "--baseline", "popularity", data=demo.root).stdout
    assert "has seen other users' future" in usual
    assert "known events" not in usual


def test_all_protocols_side_by_side(run, demo, tmp_path):
    target = tmp_path / "figures.json"
    options = ("--baseline", "popularity", "--sample", 30, "--json-out", target)
    shown = run("evaluate", "--protocol", "all", *options, data=demo.root).stdout
    for words in ("user-time, ndcg@10", "global-time, ndcg@10", "held-out-users, ndcg@100", "replay, hit_rate@10"):
        assert words in shown
    found = json.loads(target.read_text())
    assert list(found["protocols"]) == ["user-time", "global-time", "held-out-users"]
    assert found["replay"]["protocol"] == "replay"
    lead = found["protocols"]["user-time"]["differences"]["als - popularity"]["ndcg@10"]
    assert f"{lead['value']:+.3f} [{lead['low']:+.3f} to {lead['high']:+.3f}]" in shown


def test_who_is_judged_how_sure_a_lead_is_and_what_it_means(run, demo):
    shown = run("evaluate", "--users", "holdout", "--split", "test", "--seeds", 2, data=demo.root).stdout
    for words in (
        "58 users of the holdout",
        "≤ 0.001 *",
        "* significant at 5% after Holm's correction for 8 comparisons",
        "more relevant movie per",
        "the best baseline apart from sequence",
        "outside the core",
        "Half-lives chosen on validation: recent ",
        "sequence counts what was rated soon after what",
        "seed 43",
    ):
        assert words in shown
    dealt = run("evaluate", "--shuffle-sittings", "--baseline", "popularity", data=demo.root).stdout
    assert "dealt anew" in dealt
    assert "Nothing was written" in dealt


@pytest.mark.parametrize(
    "options", [("--protocol", "held-out-users"), ("--segments",), ("--ease-regularization", 3)], ids=lambda own: own[0]
)
def test_what_replay_has_no_use_for_is_refused(run, demo, options):
    assert "--replay cannot be combined with" in run("evaluate", "--replay", *options, data=demo.root, expect=2).stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--ease-regularization", "inf"), "ease_regularization"),
        (("--protocol", "held-out-users", "--history", "train"), "defines the known events itself"),
        (("--held-out-share", 0.5), "or --replay"),
        (("--protocol", "held-out-users", "--held-out-share", 0.5), "held_out_share"),
        (("-k", 10**30), "every k"),
        (("--threads", 10**9), "threads"),
        (("--report", "-"), "needs the name of a file"),
        (("--seeds", 101), "--seeds"),
        (("--protocol", "all", "--recommendations", "lists.csv"), "--protocol all"),
        (("--shuffle-sittings", "--recommendations", "lists.csv"), "--shuffle-sittings"),
    ],
    ids=lambda own: "".join(map(str, own))[:24] if isinstance(own, tuple) else "",
)
def test_values_that_make_no_sense_are_refused(run, demo, options, words):
    assert words in run("evaluate", *options, data=demo.root, expect=2).stderr


def test_the_share_that_is_replayed_may_be_chosen(run, few):
    found = as_json(run("evaluate", "--replay", "--held-out-share", 0.14, "--json", data=few.root))
    assert found["settings"]["held_out_share"] == 0.14
    assert 15 <= found["held_out_users"] <= 25


def test_data_with_nobody_to_hold_out_has_a_report_without_a_replay(run, demo_raw, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    lines = (demo_raw / "ratings.csv").read_text().splitlines(keepends=True)
    (raw / "ratings.csv").write_text("".join([lines[0], *(line for line in lines if line.startswith("15,"))]))
    (raw / "movies.csv").write_bytes((demo_raw / "movies.csv").read_bytes())
    data, target = tmp_path / "data", tmp_path / "report.html"
    run("prepare", "--raw", raw, "--min-movie-ratings", 1, data=data)
    run("train", "--iterations", 2, data=data)
    done = run("evaluate", "--baseline", "popularity", "--report", target, "--json", data=data)
    assert as_json(done)["users"] == 1
    assert "The report has no replay" in done.stderr
    assert "Models side by side" in target.read_text(encoding="utf-8")


def test_a_report_in_a_file(run, few, tmp_path):
    target = tmp_path / "report.html"
    done = run("evaluate", "--baseline", "popularity", "--sample", 50, "--report", target, data=few.root)
    assert "a sample of 50 users" in done.stdout
    text = target.read_text(encoding="utf-8")
    for words in ("Models side by side", "Learning from swipes", "The data", "a sample of 50 users"):
        assert words in text
    missing = run("evaluate", "--report", tmp_path / "nowhere" / "report.html", data=few.root, expect=2)
    assert "There is no folder" in missing.stderr
    assert missing.stdout == ""  # told before anything was measured


def test_compare_in_json_and_as_a_table(run, few_copy):
    first = registry.published_id(few_copy)
    second = as_json(run("train", "--iterations", 2, "--no-publish", "--json", data=few_copy.root))["model_id"]
    found = as_json(run("models", "compare", first, second, "--json", data=few_copy.root))
    assert set(found["models"]) == {first, second}
    lead = found["difference"]["ndcg@10"]
    assert lead["low"] <= lead["value"] <= lead["high"]
    shown = run("models", "compare", first, second, "--split", "test", "-k", 5, data=few_copy.root).stdout
    assert first in shown
    assert "ndcg@5" in shown
    run("models", "compare", first, first, data=few_copy.root, expect=2)
    run("models", "compare", first, "20200101T000000-als-0000", data=few_copy.root, expect=4)


def test_the_gate_says_why(run, demo_copy):
    default = registry.published_id(demo_copy)
    gated = ("train", "--publish-if-better", "--exit-code")
    refused = run(*gated, "--preset", "baseline", data=demo_copy.root, expect=5)
    assert f"is worse than that of the published model {default}" in refused.stdout
    assert "Not published" in refused.stdout
    assert registry.published_id(demo_copy) == default
    worse = registry.list_ids(demo_copy)[-1]
    passed = as_json(run(*gated, "--largest-loss", "4.5%", "--json", data=demo_copy.root))
    assert (passed["published"], passed["gate"]["passed"]) == (True, True)
    assert (passed["gate"]["verdict"], passed["gate"]["largest_loss"]) == ("publish", 0.045)
    assert registry.published_id(demo_copy) == passed["model_id"]
    listed = run("models", "list", data=demo_copy.root).stdout.splitlines()
    assert [" worse: -0.0" in line for line in listed if worse in line] == [True]
    assert [" not worse: +0.0" in line for line in listed if passed["model_id"] in line] == [True]
    assert [": " in line for line in listed if default in line] == [False]
    shown = run("models", "show", worse, data=demo_copy.root).stdout
    assert f"Gate, against {default}: worse: -0.0" in shown
    described = as_json(run("models", "list", "--json", data=demo_copy.root))["models"][-1]["metrics"]["gate"]
    assert (described["verdict"], described["published"]) == ("publish", default)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--publish-if-better", "--no-publish"), "cannot be combined"),
        (("--publish-if-better", "--on", "all"), "cannot be compared"),
        (("--exit-code",), "require --publish-if-better"),
        (("--largest-loss", "5%"), "require --publish-if-better"),
        (("--publish-if-better", "--largest-loss", "much"), "is not a share such as 5%"),
        (("--publish-if-better", "--largest-loss", "5"), "largest_loss must be a share"),
        (("--publish-if-better", "--largest-loss", "nan%"), "largest_loss must be a share"),
    ],
    ids=lambda own: " ".join(own) if isinstance(own, tuple) else "",
)
def test_options_of_the_gate_that_do_not_go_together_are_refused(run, demo, options, words):
    before = registry.list_ids(demo)
    assert words in run("train", *options, data=demo.root, expect=2).stderr
    assert registry.list_ids(demo) == before


def test_too_few_users_have_an_exit_code_of_their_own(run, demo_raw, tmp_path):
    """Later ratings of all users are held out, and most of these users are new then."""
    data = tmp_path / "data"
    split = ("--raw", demo_raw, "--split", "global-time")
    run("prepare", *split, data=data)
    first = as_json(run("train", "--publish-if-better", "--exit-code", "--json", data=data))
    done = run("train", "--factors", 1, "--publish-if-better", "--exit-code", data=data, expect=6)
    assert "There are too few users to know whether NDCG@10 on validation is worse by more than 5%" in done.stdout
    assert "users would do." in done.stdout
    assert (data / "models" / "CURRENT").read_text().strip() == first["model_id"]
    assert "too few users: -0.0" in run("models", "list", data=data).stdout
    # Without --exit-code, the output and `gate` in JSON say it.
    run("train", "--factors", 1, "--publish-if-better", data=data)
    replaced = run("train", "--factors", 1, data=data).stdout
    assert f"It replaces {first['model_id']}. NDCG@10 on validation is" in replaced
    again = run(
        "run", *split, "--final", "--publish-if-better", "--exit-code", "--largest-loss", 0, data=data, expect=6
    )
    assert "No final model was trained. The published model stays." in again.stdout


def test_the_gate_of_run_trains_on_everything_only_what_passes(run, demo_raw, tmp_path):
    data = tmp_path / "data"
    command = ("run", "--raw", demo_raw, "--final", "--publish-if-better", "--json")
    first = as_json(run(*command, data=data))
    assert first["gate"]["published"] is None
    assert first["final"]["published"] is True
    worse = as_json(run(*command, "--exit-code", "--preset", "baseline", data=data, expect=5))
    assert worse["gate"]["passed"] is False
    assert worse["gate"]["judged_in_its_place"] == first["train"]["model_id"]
    assert "final" not in worse
    assert json.loads((data / "models" / worse["train"]["model_id"] / "metrics.json").read_text())["val"]
    shown = run(*command[:-1], "--preset", "baseline", data=data).stdout
    assert "The published model stays" in shown
    assert (data / "models" / "CURRENT").read_text().strip() == first["final"]["model_id"]


def test_models_are_listed_with_their_figures_and_shown_in_short_tables(run, few_copy, few_raw):
    judged = registry.published_id(few_copy)
    run("evaluate", "--baseline", "popularity", data=few_copy.root)
    shown = run("models", "show", data=few_copy.root).stdout
    assert "Evaluation results" in shown
    assert max(map(len, shown.splitlines())) < 120
    assert len(shown.splitlines()) < 80
    final = as_json(run("train", "--on", "all", "--iterations", 2, "--json", data=few_copy.root))["model_id"]
    assert "has not been evaluated" in run("models", "show", data=few_copy.root).stdout
    assert "*" not in run("models", "list", data=few_copy.root).stdout
    run("prepare", "--raw", few_raw, "--min-movie-ratings", 30, data=few_copy.root)
    listed = run("models", "list", data=few_copy.root).stdout
    assert "Evaluated on other data" in listed
    assert [line.rstrip().endswith("*") or "*" in line for line in listed.splitlines() if judged in line] == [True]
    assert [("*" in line) for line in listed.splitlines() if final in line] == [False]


def test_after_a_final_run_the_model_to_evaluate_is_named(run, few_raw, tmp_path):
    data = tmp_path / "data"
    done = run("run", "--raw", few_raw, "--final", data=data)
    assert "A final model, trained on all data, follows." in done.stdout
    assert "Not published" not in done.stdout
    refused = run("evaluate", data=data, expect=4)
    command = refused.stderr.split("mlrec evaluate ")[1].split()
    assert "als" in run("evaluate", *command, "--baseline", "popularity", data=data).stdout
    assert "was evaluated in its place" in run("models", "show", data=data).stdout
    replaced = run("train", "--publish-if-better", "--largest-loss", "50%", data=data)  # of few users
    assert "mlrec run --final --publish-if-better" in replaced.stdout


def test_doctor_misses_a_part_of_the_prepared_data(run, demo_copy):
    demo_copy.prepared.split("val").unlink()
    assert "val.parquet is missing" in run("doctor", data=demo_copy.root, expect=None).stdout
