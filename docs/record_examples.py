"""Records src/mlrec/serve/examples.json: an answer of `mlrec serve` to each request, for its OpenAPI document.

python docs/record_examples.py --data-dir DIR serves the published model of a data directory; nothing in it changes.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

MLREC = Path(sys.executable).with_name("mlrec")
TARGET = Path(__file__).parents[1] / "src" / "mlrec" / "serve" / "examples.json"
NEW_USER = 100_000
REQUESTS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("recommendations", "GET", "/v1/users/42/recommendations?n=2", {}),
    ("deck", "GET", "/v1/users/42/deck?n=1", {}),
    ("why", "GET", "/v1/users/42/why/318", {}),
    ("visitor_recommendations", "POST", "/v1/visitors/recommendations", {"likes": [318, 296], "n": 2}),
    ("visitor_why", "POST", "/v1/visitors/why", {"movie_id": 593, "likes": [318, 296]}),
    ("batch_recommendations", "POST", "/v1/batch/recommendations", {"user_ids": [42], "n": 1}),
    ("swipe", "POST", f"/v1/users/{NEW_USER}/swipes?n=1", {"movie_id": 318, "swipe": "like", "event_id": "card-17"}),
    ("undo", "DELETE", f"/v1/users/{NEW_USER}/swipes/latest", {}),
    (
        "batch_swipes",
        "POST",
        "/v1/batch/swipes",
        {
            "swipes": [
                {"user_id": NEW_USER, "movie_id": 296, "swipe": "superlike"},
                {"user_id": NEW_USER, "movie_id": 999_999_999, "swipe": "like"},
            ]
        },
    ),
    ("history", "GET", f"/v1/users/{NEW_USER}/swipes?n=1", {}),
    ("ratings", "GET", "/v1/users/42/ratings?n=1", {}),
    ("profile", "GET", "/v1/users/42", {}),
    ("search", "GET", "/v1/movies?title=matrix&n=1", {}),
    ("genres", "GET", "/v1/genres", {}),
    ("similar", "GET", "/v1/movies/318/similar?n=1", {}),
    ("movie", "GET", "/v1/movies/318", {}),
    ("model", "GET", "/v1/model", {}),
    ("session", "POST", "/session", {}),
    ("livez", "GET", "/livez", {}),
    ("readyz", "GET", "/readyz", {}),
    ("forget", "DELETE", f"/v1/users/{NEW_USER}", {}),
)
"""Operation, method, address and body; in this order, because some answers depend on earlier requests."""
_MOST_ENTRIES = 3


def answers(client: httpx.Client) -> dict[str, Any]:
    """Ask for everything, and return the answers by operation. Long lists are cut, numbers rounded."""
    found = {}
    for operation, method, address, body in REQUESTS:
        answer = client.request(method, address, json=body or None)
        answer.raise_for_status()
        found[operation] = _cut(answer.json())
    return found


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(one) for one in value[:_MOST_ENTRIES]]
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items()}
    return round(value, 4) if isinstance(value, float) else value


@contextmanager
def serving_a_copy(data_dir: Path) -> Iterator[str]:
    """Serve a copy of a data directory, without its swipes. Yields the address."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "data"
        shutil.copytree(data_dir, copy, ignore=shutil.ignore_patterns("users.db*", "raw"))
        command: list[str | Path] = [MLREC, "serve", "--data-dir", copy, "--port", "0", "--no-access-log"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            (address,) = re.findall(r"http://\S+", process.stdout.readline())
            try:
                yield address
            finally:
                process.terminate()


def main() -> None:
    """Record the answers of a service of a data directory with a published model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TARGET)
    asked = parser.parse_args()
    with serving_a_copy(asked.data_dir) as address, httpx.Client(base_url=address, timeout=20) as client:
        found = answers(client)
    asked.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
