"""What the gate found is kept beside the evaluation results, and files without it open."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mlrec.artifacts.metrics_file import Figure, GateRecord, add_metrics, keep_gate, read_metrics, readable_metrics
from mlrec.errors import IncompatibleFormatError, ModelMissingError
from mlrec.workspace import ModelFiles

RECORD = GateRecord(
    verdict="too-few-users",
    published="20261123T142501-als-3f9a",
    judged_in_its_place=None,
    metric="ndcg@10",
    users=93,
    difference=Figure(-0.012, -0.03, 0.0048),
    largest_loss=0.05,
    margin=0.006,
    users_needed=400,
)
RESULT = {"users": 93, "ks": [10], "models": {"als": {"ndcg@10": {"value": 0.1, "low": None, "high": None}}}}


@pytest.fixture
def files(tmp_path) -> ModelFiles:
    found = ModelFiles(tmp_path / "model")
    found.root.mkdir()
    found.info.write_text("{}")
    return found


def test_the_gate_and_the_results_do_not_disturb_each_other(files):
    add_metrics(files, "val", "train", "liked-all", RESULT)
    assert read_metrics(files).gate is None  # as in files of earlier versions
    keep_gate(files, RECORD)
    add_metrics(files, "test", "train", "liked-all", RESULT)
    found = read_metrics(files)
    assert found.gate == RECORD
    assert sorted(found.results) == ["test", "val"]
    keep_gate(files, replace(RECORD, verdict="worse", users_needed=None))
    assert read_metrics(files).gate == replace(RECORD, verdict="worse", users_needed=None)


@pytest.mark.parametrize(
    ("key", "value"), [("verdict", "perhaps"), ("users", "many"), ("difference", {"value": 0.1, "low": 0.0})]
)
def test_a_damaged_record_is_told_by_its_key(files, key, value):
    keep_gate(files, RECORD)
    document = json.loads(files.metrics.read_text())
    document["gate"][key] = value
    files.metrics.write_text(json.dumps(document))
    with pytest.raises(IncompatibleFormatError, match=rf"is damaged: gate\.{key}"):
        read_metrics(files)
    assert readable_metrics(files).gate is None


def test_a_model_that_is_gone_keeps_nothing(files):
    files.info.unlink()
    with pytest.raises(ModelMissingError):
        keep_gate(files, RECORD)


def test_what_is_undefined_is_not_kept(files):
    """An empty list has no novelty: null in JSON. Earlier versions expect a number in the file."""
    nothing = {"value": None, "low": None, "high": None}
    models = {"als": {"ndcg@10": {**nothing, "value": 0.1}, "novelty@10": nothing}}
    segments = [{"by": "pause", "models": {"als": {"ndcg@10": nothing}}}]
    add_metrics(files, "val", "train", "liked-all", {**RESULT, "models": models, "segments": segments})
    kept = read_metrics(files)
    assert list(kept.results["val"]["train"]["liked-all"].models["als"]) == ["ndcg@10"]
    assert kept.document["val"]["train"]["liked-all"]["segments"][0]["models"] == {"als": {}}
