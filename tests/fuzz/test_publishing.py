"""Publishing a model while it is removed: whichever comes first, the pointer leads to a model."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from mlrec import MlrecError
from mlrec.artifacts import registry
from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, Fuzz, told


def remove(workspace: Workspace, model_id: str) -> None:
    with workspace.writing("models remove"):
        registry.remove(workspace, model_id)


def prune(workspace: Workspace, model_id: str) -> None:
    with workspace.writing("models prune"):
        registry.prune(workspace, 1)


def use(workspace: Workspace, model_id: str) -> None:
    registry.publish(workspace, model_id)


def replace(workspace: Workspace, model_id: str) -> None:
    registry.publish_in_place_of(workspace, registry.published_id(workspace), model_id)


@pytest.mark.parametrize("publish", [use, replace])
@pytest.mark.parametrize("delete", [remove, prune])
def test_the_pointer_never_leads_nowhere(fuzz: Fuzz, copied, tmp_path, publish, delete):
    workspace = copied(tmp_path)
    older, newer = registry.list_ids(workspace)
    kept = tmp_path / "kept"
    shutil.copytree(workspace.models / older, kept)

    def attack(case: Case) -> None:
        if not (workspace.models / older).exists():
            shutil.copytree(kept, workspace.models / older)
        registry.publish(workspace, newer)
        barrier = Barrier(2)

        def at_once(call: Callable[[Workspace, str], None], pause: float) -> bool:
            barrier.wait(60)
            time.sleep(pause)
            return not isinstance(told(lambda: call(workspace, older)), MlrecError)

        with ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(at_once, call, case.chance.random() / 500) for call in (publish, delete)]
            is_published, is_deleted = (outcome.result() for outcome in outcomes)
        case.note(f"published: {is_published}, deleted: {is_deleted}")
        assert registry.published_id(workspace) in registry.list_ids(workspace), "the pointer leads nowhere"
        if is_published:
            assert registry.published_id(workspace) == older

    fuzz.run(80, attack)
