"""Write a small data directory of generated data in the formats of this mlrec: make_data_directory.py FOLDER

An existing folder is not touched: what a version wrote is golden, and is never written again.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from mlrec.dataset.prepare import prepare
from mlrec.dataset.raw_folder import FetchedFile, Marker
from mlrec.evaluation.protocol import evaluate
from mlrec.evaluation.tuning.search import tune
from mlrec.model.train import train
from mlrec.serving.recommender import Recommender
from mlrec.settings import EvaluateSettings, PrepareSettings, TrainSettings, TuneSettings
from mlrec.workspace import RawFiles, Workspace

NOTE = "golden: λ as the data says"
GENRES = ("Comedy", "Drama", "Sci-Fi", "Children's")
SWIPES = (
    (1, 2, "like", 1_700_000_000, "a-1"),
    (1, 3, "dislike", 1_700_000_010, None),
    (1, 4, "superlike", 1_700_000_020, None),
    (2, 5, "skip", 1_700_000_000, None),
    (1001, 7, "like", 1_700_000_000, None),
    (1001, 8, "superdislike", 1_700_000_001, "é"),
)


def write_raw(folder: Path) -> None:
    """30 films, and 40 people of two tastes."""
    chance = random.Random(2026)
    folder.mkdir(parents=True)
    movies = [
        f'{i},"Film {i}, The ({1980 + i})",{"|".join(sorted(chance.sample(GENRES, chance.choice([1, 2]))))}'
        for i in range(1, 31)
    ]
    links = [f"{i},{1000 + i:07d},{500 + i}" for i in range(1, 31)]
    ratings = []
    for user in range(1, 41):
        for movie in sorted(chance.sample(range(1, 31), 18)):
            rating = chance.choice([3.5, 4, 4.5, 5] if movie % 2 == user % 2 else [0.5, 1, 2, 3, 4])
            ratings.append(f"{user},{movie},{rating},{10**9 + chance.randrange(10**6)}")
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies, ""]))
    (folder / "links.csv").write_text("\n".join(["movieId,imdbId,tmdbId", *links, ""]))
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings, ""]))
    files = tuple(FetchedFile.of(path) for path in sorted(folder.iterdir()))
    Marker("generated", "tests/golden/make_data_directory.py", None, files).write(RawFiles(folder))


def main(root: Path) -> None:
    """Prepare, train, evaluate, tune and swipe, and note what is answered."""
    workspace = Workspace(root)
    write_raw(workspace.raw)
    prepare(workspace, PrepareSettings(min_user_ratings=2, min_movie_ratings=2, threads=1))
    train(workspace, TrainSettings(factors=4, iterations=5, threads=1), note=NOTE)
    evaluate(workspace, EvaluateSettings(baselines=("popularity", "ease"), threads=1))
    evaluate(workspace, EvaluateSettings(split="test", baselines=("popularity",), threads=1))
    tune(workspace, TuneSettings(trials=3, sample=0))
    with Recommender.open(root) as recommender:
        for user_id, movie_id, preference, at, event_id in SWIPES:
            recommender.update_user(user_id, movie_id, preference, at=at, idempotency_key=event_id)
        recommender.undo(1, idempotency_key="undo-1")
        recommender.update_user(3, 9, "like", at=1_700_000_000)
        recommender.forget_user(3)
        best = recommender.get_top_n(1, 1)[0].movie_id
        expected = {
            "lists": {
                str(user_id): [movie.to_json() for movie in recommender.get_top_n(user_id, 5)]
                for user_id in (1, 2, 3, 40, 1001, 5000)
            },
            "similar": [movie.to_json() for movie in recommender.similar_movies(1, 5)],
            "why": recommender.explain(1, best).to_json(),
            "history": {
                str(user_id): [event.to_json() for event in recommender.history(user_id)] for user_id in (1, 2, 1001)
            },
        }
    (root / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False))
    (root / ".lock").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
