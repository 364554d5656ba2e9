"""Write a data directory of the format of the installed mlrec, small and generated: python make_golden.py FOLDER"""

import random, sys, json
from pathlib import Path
from mlrec.workspace import Workspace
from mlrec.dataset.prepare import prepare
from mlrec.model.train import train
from mlrec.evaluation.protocol import evaluate
from mlrec.settings import *
from mlrec.serving.recommender import Recommender

root = Path(sys.argv[1])
raw = root / "raw"
raw.mkdir(parents=True)
chance = random.Random(2026)
genres = ["Comedy", "Drama", "Sci-Fi", "Children's"]
movies = [
    f'{i},"Film {i}, The ({1980 + i})",{"|".join(sorted(chance.sample(genres, chance.choice([1, 2]))))}'
    for i in range(1, 31)
]
(raw / "movies.csv").write_text("movieId,title,genres\n" + "\n".join(movies) + "\n")
(raw / "links.csv").write_text(
    "movieId,imdbId,tmdbId\n" + "".join(f"{i},{1000 + i:07d},{500 + i}\n" for i in range(1, 31))
)
rows = []
for user in range(1, 41):
    liked = user % 2
    for movie in sorted(chance.sample(range(1, 31), 18)):
        high = movie % 2 == liked
        rows.append(
            f"{user},{movie},{chance.choice([3.5, 4, 4.5, 5]) if high else chance.choice([0.5, 1, 2, 3, 4])},{10**9 + chance.randrange(10**6)}"
        )
(raw / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(rows) + "\n")
ws = Workspace(root)
prepare(ws, PrepareSettings(min_user_ratings=2, min_movie_ratings=2, threads=1))
train(ws, TrainSettings(factors=4, iterations=5, threads=1))
evaluate(ws, EvaluateSettings(baselines=("popularity", "ease"), threads=1))
evaluate(ws, EvaluateSettings(split="test", baselines=("popularity",), threads=1))
with Recommender.open(root) as rec:
    for user, movie, pref, at, event in [
        (1, 2, "like", 1_700_000_000, "a-1"),
        (1, 3, "dislike", 1_700_000_010, None),
        (1, 4, "superlike", 1_700_000_020, None),
        (2, 5, "skip", 1_700_000_000, None),
        (1001, 7, "like", 1_700_000_000, None),
        (1001, 8, "superdislike", 1_700_000_001, "é"),
    ]:
        rec.update_user(user, movie, pref, at=at, event_id=event)
    rec.undo(1, event_id="undo-1")
    rec.update_user(3, 9, "like", at=1_700_000_000)
    rec.forget_user(3)
with Recommender.open(root, settings=ServeSettings(rule="gradient")) as rec:
    rec.get_top_n(2)
with Recommender.open(root) as rec:
    expected = {
        "lists": {str(u): [m.to_json() for m in rec.get_top_n(u, 5)] for u in (1, 2, 3, 40, 1001, 5000)},
        "similar": [m.to_json() for m in rec.similar_movies(1, 5)],
        "why": rec.explain(1, rec.get_top_n(1, 1)[0].movie_id).to_json(),
        "history": {str(u): [e.to_json() for e in rec.history(u)] for u in (1, 2, 1001)},
    }
(root / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False))
