"""Compares the time of mlrec with LensKit and RecTools, which do the same work on the same raw data.

    python benchmarks/others.py compare [--library rectools] [--scale 0.1] [--rounds 3] [--work-dir data/bench]
                                        [--python python3.12]
    python benchmarks/others.py lenskit|rectools prepare RAW_DIR WORK_DIR
    python benchmarks/others.py lenskit|rectools train WORK_DIR
    python benchmarks/others.py lenskit|rectools evaluate WORK_DIR
    python benchmarks/others.py lenskit|rectools|mlrec all RAW_DIR WORK_DIR
    python benchmarks/others.py mlrec als RAW_DIR WORK_DIR

Neither library is a dependency of mlrec. `compare` creates an environment for each in the work directory, with the
versions in `benchmarks/others/` and Python 3.11 or 3.12. LensKit's takes 6 GB, most of it CUDA for PyTorch; its version
is the newest for Python 3.11. Then each step runs in its own process, in turn, round after round. After that, each
contestant runs all three steps in one process, which pays for imports once. mlrec does so twice: as it is, and with
ALS alone, which is what the libraries do. A library's step ends with one JSON line: the seconds of its stages and, from
evaluate, its metrics.

All use the same buckets, core filter, split, factors, sweeps, mlrec's rule for λ, confidence 1 + 2|r| on likes, and
lists of ten without the movies known from train, evaluated on the likes in validation, within the core. The libraries'
own tools do the work. pandas does the two things that they have no tool for: the core filter, and the split for
RecTools. Differences:

- The solver: LensKit solves for each user and movie exactly; `implicit`, which RecTools and mlrec use, takes three
  conjugate gradient steps.
- The initial factors: LensKit's are smaller, and need about 20 sweeps to get where the others are after 10.
- The users: mlrec computes their vectors again after training, with recency and dislikes. It also learns a second
  opinion, and chooses on validation how both count.
- The metrics: mlrec also evaluates popularity, and reports 11 metrics with confidence intervals. The libraries print
  the means of three. LensKit divides recall by at most ten.
- Threads: all use all processors, each by its own defaults, but `implicit` requires one thread of BLAS. LensKit makes
  lists in several processes; the table shows the memory of the largest. LK_NUM_PROCS=1 is faster on small data.
- LensKit's splitter works user by user, which takes most of its preparation; pandas would split in a fifth of that
  time. Its own shares are rounded differently, so it is given mlrec's rule for the split.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))  # the environments of the libraries do not have mlrec
sys.path.insert(0, str(Path(__file__).parents[1]))  # a script has only its own folder on the path
from benchmarks.bench import (
    HERE,
    MLREC,
    OURS,
    PYTHON,
    Contestant,
    generated,
    last_line,
    machine,
    one_model,
    plain_environment,
)
from benchmarks.usual import (
    ALPHA,
    FACTORS,
    MIN_MOVIE_RATINGS,
    MIN_USER_RATINGS,
    SECONDS,
    SEED,
    SWEEPS,
    K,
    regularization,
    stage,
)

LIBRARIES = {"lenskit": "LensKit", "rectools": "RecTools"}
STEPS = ("prepare", "train", "evaluate")
ALL = "all"
ALS = "als"
OURS_BY_ALS = "mlrec, ALS alone"


def core(raw: Path) -> Any:
    """Preferences ordered by user and time, after the core filter, which neither library has."""
    import pandas as pd

    with stage("read"):
        types = {"userId": np.int32, "movieId": np.int32, "rating": np.float32, "timestamp": np.int64}
        table = pd.read_csv(raw / "ratings.csv", dtype=types)
        table.columns = ["user_id", "item_id", "rating", "timestamp"]
    with stage("filter"):
        bucket = np.digitize(table.pop("rating"), [2.5, 3.5, 4.5], right=True)
        table["preference"] = np.array([-2, -1, 1, 2], np.int8)[bucket]
        table = table.sort_values(["user_id", "timestamp", "item_id"])
        table = table.drop_duplicates(["user_id", "item_id"], keep="last")
        n_before = -1
        while len(table) != n_before:
            n_before = len(table)
            table = table[table["item_id"].map(table["item_id"].value_counts()) >= MIN_MOVIE_RATINGS]
            table = table[table["user_id"].map(table["user_id"].value_counts()) >= MIN_USER_RATINGS]
    return table


def lenskit_prepare(raw: Path, work: Path) -> None:
    """LensKit's data set, split by its user splitter with mlrec's rule, because LensKit's own rule rounds."""
    from lenskit.data import ItemList, ItemListCollection, UserIDKey, from_interactions_df
    from lenskit.splitting import crossfold_users

    def last_fifth(items: ItemList) -> ItemList:
        in_time = np.lexsort((items.ids(), items.field("timestamp")))
        return items[in_time[len(items) * 8 // 10 :]]

    work.mkdir(parents=True, exist_ok=True)
    table = core(raw).rename(columns={"preference": "rating"})
    with stage("dataset"):
        data = from_interactions_df(table)
    with stage("split"):
        split = next(crossfold_users(data, 1, last_fifth))
        learned = split.train.item_stats()["count"].to_numpy() > 0
        n_val = (data.user_stats()["count"] // 10).to_dict()
        parts = {name: ItemListCollection(UserIDKey) for name in ("val", "test")}
        for (user,), later in split.test:
            likes, n = (later.field("rating") > 0) & learned[later.numbers()], n_val[user]
            for name, chosen in (("val", np.flatnonzero(likes[:n])), ("test", n + np.flatnonzero(likes[n:]))):
                if len(chosen):
                    parts[name].add(later[chosen], user)
    with stage("write"):
        split.train.save(work / "train")
        for name, lists in parts.items():
            lists.save_parquet(work / f"{name}.parquet")


def lenskit_train(work: Path) -> None:
    """LensKit's implicit ALS on the likes, in a pipeline with all of train as known events."""
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import Dataset, DatasetBuilder
    from lenskit.pipeline import topn_pipeline
    from lenskit.training import TrainingOptions

    with stage("read"):
        train = Dataset.load(work / "train")
    with stage("dataset"):
        builder = DatasetBuilder(train)
        builder.binarize_ratings(min_pos_rating=1, method="remove")  # keeps 1 and 2 as they are
        likes = builder.build()
    with stage("fit"):
        scorer = ImplicitMFScorer(
            embedding_size=FACTORS,
            epochs=SWEEPS,
            regularization=regularization(likes.interaction_count),
            weight=ALPHA,
            use_ratings=True,
            user_embeddings="prefer",
        )
        scorer.train(likes, TrainingOptions(rng=SEED))
        pipeline = topn_pipeline(scorer, n=K)
        pipeline.train(train, TrainingOptions(retrain=False))
    with stage("save"), (work / "pipeline.pkl").open("wb") as file:
        pickle.dump(pipeline, file)


def lenskit_evaluate(work: Path) -> None:
    """LensKit's batch recommendations and metrics."""
    from lenskit.batch import recommend
    from lenskit.data import ItemListCollection
    from lenskit.metrics import NDCG, Precision, Recall, RunAnalysis

    with stage("read"):
        with (work / "pipeline.pkl").open("rb") as file:
            pipeline = pickle.load(file)
        answers = ItemListCollection.load_parquet(work / "val.parquet")
    with stage("recommend"):
        lists = recommend(pipeline, answers, K)
    with stage("measure"):
        measured = RunAnalysis(Recall(K), Precision(K), NDCG(K)).measure(lists, answers)
        SECONDS["users"] = len(lists)
        for label, mean in measured.list_summary()["mean"].items():
            SECONDS[label.removesuffix(f"@{K}").lower()] = float(mean)


def rectools_prepare(raw: Path, work: Path) -> None:
    """A split with pandas: RecTools' splitters take the same number of events of each user, or those after a time."""
    work.mkdir(parents=True, exist_ok=True)
    table = core(raw)
    with stage("split"):
        by_user = table.groupby("user_id", sort=False)
        place, length = by_user.cumcount(), by_user["user_id"].transform("size")
        n_train = length * 8 // 10
        n_known = n_train + length // 10
        parts = {
            "train": table[place < n_train],
            "val": table[(place >= n_train) & (place < n_known)],
            "test": table[place >= n_known],
        }
    with stage("write"):
        for name, part in parts.items():
            part.to_pickle(work / f"{name}.pkl")


def rectools_train(work: Path) -> None:
    """RecTools' wrapper of `implicit` on the likes, and a data set of all of train with the same row numbers."""
    import pandas as pd
    from implicit.cpu.als import AlternatingLeastSquares
    from rectools import Columns
    from rectools.dataset import Dataset, IdMap, Interactions
    from rectools.models import ImplicitALSWrapperModel

    with stage("read"):
        train = pd.read_pickle(work / "train.pkl")
    with stage("dataset"):
        train[Columns.Weight] = 1 + ALPHA * train["preference"].abs()
        train[Columns.Datetime] = pd.to_datetime(train.pop("timestamp"), unit="s")
        likes = train[train["preference"] > 0]

        def numbered(column: str) -> IdMap:
            """Number ids so that those with likes come last: a data set has as many rows as its highest number says."""
            every, liked = train[column].unique(), likes[column].unique()
            return IdMap.from_values(np.concatenate([np.setdiff1d(every, liked), liked]))

        users, items = numbered(Columns.User), numbered(Columns.Item)
        known, learned = (Dataset(users, items, Interactions.from_raw(rows, users, items)) for rows in (train, likes))
    with stage("fit"):
        model = ImplicitALSWrapperModel(
            AlternatingLeastSquares(
                factors=FACTORS,
                regularization=regularization(len(likes)),
                alpha=1.0,
                iterations=SWEEPS,
                random_state=SEED,
            )
        )
        model.fit(learned)
    with stage("save"):
        model.save(work / "model.pkl")
        (work / "known.pkl").write_bytes(pickle.dumps(known))


def rectools_evaluate(work: Path) -> None:
    """RecTools' batch recommendations and metrics."""
    import pandas as pd
    from rectools.metrics import NDCG, Precision, Recall, calc_metrics
    from rectools.models import load_model

    with stage("read"):
        model = load_model(work / "model.pkl")
        known = pickle.loads((work / "known.pkl").read_bytes())
        answers = pd.read_pickle(work / "val.pkl")
        answers = answers[(answers["preference"] > 0) & answers["item_id"].isin(known.item_id_map.external_ids)]
    with stage("recommend"):
        users = answers["user_id"].unique()
        lists = model.recommend(users, known, K, filter_viewed=True)
    with stage("measure"):
        metrics = {"recall": Recall(K), "precision": Precision(K), "ndcg": NDCG(K, divide_by_achievable=True)}
        SECONDS["users"] = len(users)
        SECONDS.update({name: float(value) for name, value in calc_metrics(metrics, lists, answers).items()})


def mlrec_all(raw: Path, work: Path, *, by_als: bool) -> None:
    """The three steps of mlrec in one process, with the settings of the commands in `contestants` or ALS alone."""
    import mlrec
    from mlrec import EvaluateSettings, TrainSettings

    with stage("prepare"):
        mlrec.prepare(work, raw=raw)
    with stage("train"):
        settings = TrainSettings(iterations=SWEEPS, start_share=0.0)
        if by_als:
            settings = TrainSettings.preset(
                "baseline", alpha=ALPHA, regularization=None, iterations=SWEEPS, dislikes="ignore"
            )
        mlrec.train(work, settings=settings)
    with stage("evaluate"):
        judging = EvaluateSettings(ks=(K,), baselines=("popularity",), relevance_within="core")
        SECONDS["ndcg"] = mlrec.evaluate(work, settings=judging).models["als"][f"ndcg@{K}"].value


WORKERS: Mapping[tuple[str, str], Callable[..., None]] = {
    ("lenskit", "prepare"): lenskit_prepare,
    ("lenskit", "train"): lenskit_train,
    ("lenskit", "evaluate"): lenskit_evaluate,
    ("rectools", "prepare"): rectools_prepare,
    ("rectools", "train"): rectools_train,
    ("rectools", "evaluate"): rectools_evaluate,
}


def environment(library: str, work: Path, python: str) -> str:
    """The interpreter of a library's own environment, which is created or updated to the pinned versions."""
    folder = work / "environments" / library
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pins = HERE / "others" / f"{library}.txt"
    pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--constraint", str(pins), library], check=True)
    return str(interpreter)


def contestants(step: str, raw: Path, work: Path, interpreters: Mapping[str, str]) -> list[Contestant]:
    """The contestants of a step, mlrec first."""

    def ndcg(printed: str) -> dict[str, float]:
        return {"ndcg": json.loads(printed)["models"]["als"][f"ndcg@{K}"]["value"]}

    found = {
        "prepare": [Contestant(OURS, [MLREC, "prepare", "--raw", str(raw)])],
        "train": [Contestant(OURS, [MLREC, "train", "--iterations", str(SWEEPS), "--start-share", "0"])],
        "evaluate": [
            Contestant(
                OURS,
                [MLREC, "evaluate", f"-k{K}", "--baseline", "popularity", "--relevance-within", "core", "--json"],
                ndcg,
            )
        ],
        ALL: [
            Contestant(name, [PYTHON, __file__, OURS, kind, str(raw), str(work / f"{OURS}-{kind}")], last_line)
            for name, kind in ((OURS, ALL), (OURS_BY_ALS, ALS))
        ],
    }[step]
    for library, interpreter in interpreters.items():
        folders = [raw, work / library] if step in ("prepare", ALL) else [work / library]
        command = [interpreter, __file__, library, step, *map(str, folders)]
        found.append(Contestant(LIBRARIES[library], command, last_line))
    return found


def compare(arguments: argparse.Namespace) -> None:
    """Run all steps of all contestants, and print the table."""
    chosen = [name for name in LIBRARIES if name in (arguments.library or LIBRARIES)]
    interpreters = {name: environment(name, arguments.work_dir, arguments.python) for name in chosen}
    raw = generated(arguments.work_dir, arguments.scale)
    work = raw.with_name("others")
    inputs = (raw, *(work / library for library in interpreters), work / OURS / "prepared")
    plain = plain_environment()
    with_implicit = plain | {"MLREC_DATA_DIR": str(work / OURS), "OPENBLAS_NUM_THREADS": "1"}
    results = {}
    for step in (*STEPS, ALL):
        results[step] = contestants(step, raw, work, interpreters)
        for number in range(arguments.rounds):
            for own in results[step]:
                own.run(plain if own.name == LIBRARIES["lenskit"] else with_implicit, inputs)
                print(f"{step}, round {number + 1}: {own.name} {own.seconds[-1]:.2f} s", file=sys.stderr)
        if step == "train":
            one_model(work / OURS)
    print(f"Scale {arguments.scale:g}; " + "; ".join([*machine().values(), *pinned(interpreters)]))
    print()
    print(report(results))


def pinned(libraries: Iterable[str]) -> list[str]:
    """The pinned versions of some libraries."""
    lines = [line for name in libraries for line in (HERE / "others" / f"{name}.txt").read_text().split()]
    return [line.replace("==", " ") for line in lines if line.split("==")[0].lower() in LIBRARIES]


def report(results: Mapping[str, list[Contestant]]) -> str:
    """The table, as Markdown."""
    lines = [f"| step | | seconds | range | peak memory | against mlrec | NDCG@{K} |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    for step, all_ in results.items():
        step = ", ".join(STEPS) + " in one process" if step == ALL else step
        for own in all_:
            ratio = "" if own.name == OURS else f"{median(own.seconds) / median(all_[0].seconds):.2f} ×"
            spread = f"{min(own.seconds):.2f} to {max(own.seconds):.2f}"
            ndcg = f"{median(own.staged['ndcg']):.4f}" if "ndcg" in own.staged else ""
            lines.append(
                f"| {step} | {own.name} | {median(own.seconds):.2f} | {spread} | {median(own.megabytes):,.0f} MB"
                f" | {ratio} | {ndcg} |"
            )
    totals = {
        own.name: sum(median(results[step][place].seconds) for step in STEPS)
        for place, own in enumerate(results[STEPS[0]])
    }
    for name, total in totals.items():
        ratio = "" if name == OURS else f"{total / totals[OURS]:.2f} ×"
        lines.append(f"| {', '.join(STEPS)} | {name} | {total:.1f} | | | {ratio} | |")
    return "\n".join(lines)


def main() -> None:
    """Run one step of a library and print its seconds, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    comparing = commands.add_parser("compare", help="time mlrec and the libraries, and print a table")
    comparing.add_argument(
        "--library", choices=LIBRARIES, action="append", help="compare with this one; repeatable (default: all)"
    )
    comparing.add_argument("--scale", type=float, default=0.1)
    comparing.add_argument("--rounds", type=int, default=3)
    comparing.add_argument("--work-dir", type=Path, default=Path("data/bench"))
    comparing.add_argument("--python", default=PYTHON, help="makes the environments (default: the one that runs this)")
    for library, name in {**LIBRARIES, OURS: OURS}.items():
        command = commands.add_parser(library, help=f"one step by {name}, in an environment that has it")
        command.add_argument("step", choices=(ALL, ALS) if library == OURS else (*STEPS, ALL))
        command.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    arguments = parser.parse_args()
    if arguments.command == "compare":
        compare(arguments)
    elif len(arguments.folders) != (2 if arguments.step in ("prepare", ALL, ALS) else 1):
        parser.error("prepare, all and als take RAW_DIR and WORK_DIR, the other steps WORK_DIR")
    else:
        if arguments.command == OURS:
            mlrec_all(*arguments.folders, by_als=arguments.step == ALS)
        else:
            for step in STEPS if arguments.step == ALL else (arguments.step,):
                folders = arguments.folders if step == "prepare" else arguments.folders[-1:]
                WORKERS[arguments.command, step](*folders)
        print(json.dumps(SECONDS))


if __name__ == "__main__":
    main()
