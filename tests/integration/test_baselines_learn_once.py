"""On both splits, baselines learn from train. What they have learned is kept between two evaluations of one model."""

from __future__ import annotations

import pytest

from mlrec.artifacts.documents import to_json
from mlrec.evaluation import memory, protocol
from mlrec.evaluation.memory import Memory
from mlrec.model.learn import learn
from mlrec.settings import EvaluateSettings, HeldOutSplit

SPLITS: tuple[HeldOutSplit, ...] = ("val", "test")


def figures(workspace, kept: Memory | None, split: HeldOutSplit, **settings):
    found = protocol.evaluate(workspace, EvaluateSettings(split=split, resamples=1000, **settings), memory=kept)
    return to_json(found)


@pytest.mark.parametrize("is_small", [True, False])
def test_figures_are_those_of_two_evaluations(few, monkeypatch, is_small):
    learned: list[int] = []

    def counted(*given, **named):
        learned.append(1)
        return learn(*given, **named)

    monkeypatch.setattr("mlrec.evaluation.contest.learn", counted)
    if not is_small:
        monkeypatch.setattr(memory, "_MOST_EVENTS", 10)
    apart = [figures(few, None, split) for split in SPLITS]
    assert len(learned) == 2
    learned.clear()
    kept = Memory()
    assert [figures(few, kept, split) for split in SPLITS] == apart
    assert len(learned) == (1 if is_small else 2)
    # Other settings are learned anew.
    assert figures(few, kept, "val", ease_regularization=50.0) == figures(few, None, "val", ease_regularization=50.0)
    assert figures(few, kept, "val", ease_regularization=50.0) != apart[0]


def test_another_model_shares_nothing(few, few_copy):
    from mlrec.model.train import train
    from mlrec.settings import TrainSettings

    other = train(few_copy, TrainSettings(factors=8, iterations=2))
    kept = Memory()
    figures(few, kept, "val")
    named = EvaluateSettings(resamples=1000)
    found = protocol.evaluate(few_copy, named, model_id=other.model_id, memory=kept)
    assert to_json(found) == to_json(protocol.evaluate(few_copy, named, model_id=other.model_id))
