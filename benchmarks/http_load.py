"""Requests a second of `mlrec serve`, from a real load generator: one and two workers, lists and swipes, each store.

    python benchmarks/http_load.py data --redis redis://localhost:6379/0

Needs wrk (https://github.com/wg/wrk; in Debian: apt-get install wrk). First it finds how many requests a second the
service answers at most, with 32 connections that ask again at once. Then it asks for half as many, and reports how long
answers take. wrk and the service share the processors. Swipes go to a copy of the data directory.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONNECTIONS = 32
PACED_CONNECTIONS = 16  # few, because at first all ask at the same moment
_LISTS = """
local users = {USERS}
request = function()
  return wrk.format("GET", "/v1/users/" .. users[math.random(#users)] .. "/recommendations")
end
"""
_SWIPES = """
local users, movies = {USERS}, {MOVIES}
local names = {"like", "dislike", "superlike", "superdislike", "skip"}
local number, me = 0, 0
local threads = 0
setup = function(thread) thread:set("me", threads); threads = threads + 1 end
request = function()
  number = number + 1
  local body = string.format('{"movie_id": %d, "swipe": "%s", "event_id": "%s-%d-%d"}',
    movies[math.random(#movies)], names[math.random(#names)], RUN, me, number)
  return wrk.format("POST", "/v1/users/" .. (5000000 + math.random(2000)) .. "/swipes",
    {["Content-Type"] = "application/json"}, body)
end
"""
_PACE = "\ndelay = function() return math.random(0, 2 * DELAY) end\n"  # otherwise all would ask at the same moment


@contextmanager
def serving(data: Path, workers: int, store: str | None) -> Iterator[str]:
    """A running service; yields its address."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("mlrec"),
        "serve",
        "--data-dir",
        data,
        "--port",
        "0",
        "--no-access-log",
    ]
    command += ["--workers", str(workers), *(("--store", store) if store else ())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = re.findall(r"http://[\d.:]+", process.stdout.readline())[0]
        for _ in range(200):
            done = subprocess.run(["curl", "-sf", "-o", "/dev/null", f"{address}/readyz"], check=False)
            if done.returncode == 0:
                break
            time.sleep(0.1)
        try:
            yield address
        finally:
            process.terminate()
            process.wait(30)


def load(address: str, script: str, connections: int, seconds: int) -> dict[str, float]:
    """Let wrk ask for some seconds; requests a second, latencies in milliseconds, failures."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", "-s", file.name, address]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", told)))
    failed += sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", told)))
    return {
        "per_second": float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0]),
        "p50": _milliseconds(re.findall(r"50%\s+([\d.]+\w+)", told)[0]),
        "p99": _milliseconds(re.findall(r"99%\s+([\d.]+\w+)", told)[0]),
        "failures": failed,
    }


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def measure(data: Path, what: str, workers: int, store: str | None, seconds: int) -> dict[str, Any]:
    """The most requests a second, and latencies at half of that."""
    mappings = json.loads(next((data / "models").glob("*/mappings.json")).read_text())
    users = ",".join(list(mappings["user_id_to_index"])[:5000])
    movies = ",".join(list(mappings["movie_id_to_index"])[:5000])
    script = {"lists": _LISTS, "swipes": _SWIPES}[what]
    script = script.replace("USERS", users).replace("MOVIES", movies).replace("RUN", f'"{time.monotonic_ns()}"')
    with serving(data, workers, store) as address:
        load(address, script, CONNECTIONS, 2)  # warm-up
        most = load(address, script.replace("me, number", "me + 100, number"), CONNECTIONS, seconds)
        delay = PACED_CONNECTIONS / (most["per_second"] / 2) * 1000
        paced = script.replace("me, number", "me + 200, number") + _PACE.replace("DELAY", f"{delay:.0f}")
        half = load(address, paced, PACED_CONNECTIONS, seconds)
    return {"what": what, "workers": workers, "most": most, "half": half}


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data directory with a published model of whole-number ids")
    parser.add_argument("--redis", help="URL of an empty Redis database, to measure that store too")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="the median by requests a second is reported")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed.")
    found = []
    heading = ("store", "request", "workers", "a second", "p50 ms", "p99 ms", "at half", "p50 ms", "p99 ms", "failures")
    print("{:<8}{:<9}{:>8}{:>10}{:>8}{:>8}{:>9}{:>8}{:>8}{:>10}".format(*heading))
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "data"
        shutil.copytree(asked.data, copy)
        for name, store in (("SQLite", None), *((("Redis", asked.redis),) if asked.redis else ())):
            for what in ("lists", "swipes"):
                # Side by side: each round measures one worker and two.
                rounds: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
                for _ in range(asked.rounds):
                    for workers in rounds:
                        rounds[workers].append(measure(copy, what, workers, store, asked.seconds))
                for workers, results in rounds.items():
                    result = sorted(results, key=lambda one: float(one["most"]["per_second"]))[len(results) // 2]
                    most, half = result["most"], result["half"]
                    print(
                        f"{name:<8}{what:<9}{workers:>8}{most['per_second']:>10,.0f}{most['p50']:>8.2f}{most['p99']:>8.2f}"
                        f"{half['per_second']:>9,.0f}{half['p50']:>8.2f}{half['p99']:>8.2f}"
                        f"{most['failures'] + half['failures']:>10,.0f}",
                        flush=True,
                    )
                    found.append({"store": name, **result})
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
