"""Which tests run one after the other in one worker: those of a file, and those that share a session on Spark.

A session takes ten seconds of processor time to start, and its first jobs are its slowest.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

ONE_SESSION = {f"tests/spark/test_{name}.py" for name in ("own_data", "prepare", "train")}


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """That of `--dist loadfile`, for which the files of one session are one file."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "tests/spark" if file in ONE_SESSION else file
