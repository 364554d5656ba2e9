"""Model folders with a damaged file: what is served is valid, or an error says what is wrong, and `doctor` sees it."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.errors import MlrecError
from mlrec.workspace import ModelFiles
from tests.fuzz.attack import Case, Fuzz, command, told
from tests.fuzz.damage import ANY_FILE, TEXT_FILE, damaged, damaged_json
from tests.fuzz.small import MOVIES

# What is not part of the model (figures come later), and what says of the others how they should be.
UNSUMMED = {"metrics.json", "model_info.json"}
STRANGER = 10**9


def other_values(case: Case, content: bytes) -> tuple[bytes, str]:
    """An array that can be read, and holds something else: other values, another order, type or shape."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    flat = array.reshape(-1)
    odd = [np.nan, np.inf, -1, 0, 1e30, 2**62, -(2**63), 127] if array.dtype.kind == "f" else [-1, 0, 3, 127, -128]
    ways = {
        "one odd value": lambda: flat.__setitem__(case.chance.randrange(len(flat)), case.chance.choice(odd)),
        "a row of odd values": lambda: array.__setitem__(case.chance.randrange(len(array)), case.chance.choice(odd)),
        "reversed": lambda: array[::-1].copy(),
        "the last is gone": lambda: array[:-1],
        "the last comes twice": lambda: np.concatenate([array, array[-1:]]),
        "another type": lambda: array.astype(
            case.chance.choice(["<f8", "<i4", "<i8", "<u1", ">f4", "<U5", "?", "<c8"])
        ),
        "another shape": lambda: array.reshape(case.chance.choice([(1, -1), (-1, 1), (-1,), (1, 1, -1)])),
        "nothing": lambda: array[:0],
        "a single number": lambda: np.array(1, dtype=array.dtype),
    }
    name = case.chance.choice(sorted(ways))
    changed = ways[name]()
    file = io.BytesIO()
    np.save(file, array if changed is None else changed)
    return file.getvalue(), name


def harm_a_file(case: Case, folder: Path) -> str:
    """Damage one file of a model; returns its name, or nothing where the damage has changed nothing."""
    path = case.chance.choice(sorted(folder.iterdir()))
    content = path.read_bytes()
    if case.chance.random() < 0.04:
        case.note(f"{path.name} is gone")
        path.unlink()
        return path.name
    if path.suffix == ".json" and case.chance.random() < 0.6:
        harmed, what = damaged_json(case.chance, content)
    elif path.suffix == ".npy" and case.chance.random() < 0.5:
        harmed, what = other_values(case, content)
    else:
        harmed, what = damaged(case.chance, content, TEXT_FILE if path.suffix == ".json" else ANY_FILE)
    case.note(f"{path.name}: {what}")
    path.write_bytes(harmed)
    return path.name if harmed != content else ""


def check_list(items, n: int) -> None:
    """A list as anybody may be shown it."""
    assert [item.rank for item in items] == list(range(1, len(items) + 1))
    assert 0 < len(items) <= n
    assert len({item.movie_id for item in items}) == len(items)
    for item in items:
        assert 1 <= item.movie_id <= MOVIES
        assert math.isfinite(item.score)
        assert isinstance(item.title, str)
        assert item.year is None or isinstance(item.year, int)
        assert all(isinstance(genre, str) for genre in item.genres)


def serve(case: Case, folder: Path, store: Path) -> MlrecError | None:
    """Ask a model for everything that it serves; returns the error by which it does not open."""
    opened = told(lambda: Recommender.open(model=folder, store=store))
    if isinstance(opened, MlrecError):
        return opened
    with opened as rec:
        for user_id in (*case.chance.sample(range(1, 31), 3), STRANGER):
            for swiped in (False, True):
                items = told(lambda: rec.get_top_n(user_id, 5))  # noqa: B023  # called at once
                if isinstance(items, list):
                    check_list(items, 5)
                    told(lambda: rec.explain(user_id, items[0].movie_id))  # noqa: B023
                if not swiped:
                    told(lambda: rec.update_user(user_id, case.chance.randint(1, MOVIES), "like"))  # noqa: B023
        similar = told(lambda: rec.similar_movies(case.chance.randint(1, MOVIES), 5))
        if isinstance(similar, list):
            check_list(similar, 5)
        told(lambda: rec.get_top_n(STRANGER, 5, genres=["Drama"], years=(1950, 1980), diversity=0.5))
        told(lambda: rec.search("matrix"))
        told(lambda: rec.history(STRANGER))
        told(lambda: list(rec.recommend_all(3)))
    return None


def test_a_damaged_model_serves_soundly_or_says_so(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        folder = registry.resolve(copied(case.folder)).root
        harm_a_file(case, folder)
        serve(case, folder, case.folder / "users.db")

    fuzz.run(250, attack)


def test_doctor_and_the_lists_of_models_survive_a_damaged_one(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        folder = registry.resolve(workspace).root
        harmed = harm_a_file(case, folder)
        found = command("doctor", data=workspace.root)
        assert "Next: " in found.out
        if harmed and harmed not in UNSUMMED:
            assert found.code == 4, f"doctor is content with a damaged {harmed}"
        listed = command("models", "list", data=workspace.root)
        for model_id in registry.list_ids(workspace):
            assert model_id in listed.out
        command("models", "list", "--json", data=workspace.root, expect={0})
        command("models", "show", data=workspace.root)
        command("history", "--user", 1, data=workspace.root)
        command("recommend", "--user", 1, data=workspace.root)

    fuzz.run(60, attack)


def test_a_damaged_model_is_evaluated_compared_and_published_or_says_so(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        folder = registry.resolve(workspace).root
        other = next(model_id for model_id in registry.list_ids(workspace) if model_id != folder.name)
        harm_a_file(case, folder)
        way = case.chance.choice(
            (
                ("evaluate", "--json"),
                ("evaluate",),
                ("models", "compare", folder.name, other),
                ("models", "use", folder.name),
                ("train", "--iterations", 1, "--publish-if-better"),
                ("run", "--final"),
            )
        )
        case.note(f"mlrec {' '.join(map(str, way))}")
        command(*way, data=workspace.root)
        assert registry.published_id(workspace) in registry.list_ids(workspace)

    fuzz.run(40, attack)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"../..\n", b"no-such-model\n", b"\xff\xfe\n", b"\0", b"x" * 5000, b".\n"]
)
def test_a_damaged_pointer_to_the_published_model_is_told(copied, tmp_path, content):
    workspace = copied(tmp_path)
    workspace.current_pointer.write_bytes(content)
    assert isinstance(told(lambda: Recommender.open(workspace.root)), MlrecError)
    assert "Next: mlrec models use" in command("doctor", data=workspace.root).out
    for words in (("models", "list"), ("models", "show"), ("recommend", "--user", 1), ("models", "prune")):
        command(*words, data=workspace.root)
    ids = registry.list_ids(workspace)
    command("models", "use", ids[-1], data=workspace.root, expect={0})
    assert model_folder.open_model(ModelFiles(workspace.models / ids[-1])).model_id == registry.published_id(workspace)
