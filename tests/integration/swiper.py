"""A process that swipes until it is killed, and writes down what was acknowledged. Run by test_crashes.py.

python swiper.py DATA_DIR STORE NAME FIRST LAST ACKNOWLEDGED
"""

from __future__ import annotations

import os
import sys

from mlrec import Recommender
from mlrec.errors import StoreUnavailableError
from tests.stores import planned_swipe


def main() -> None:
    data_dir, store, name, first, last, acknowledged = sys.argv[1:]
    handle = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Recommender.open(data_dir, store=store) as rec:
        movie_ids = rec._served().movie_ids.tolist()
        for number in range(int(first), int(last)):
            user_id, row, preference, at = planned_swipe(name, number)
            key = f"{name}-{number}"
            try:
                rec.update_user(user_id, movie_ids[row], preference, at=at, idempotency_key=key)
            except StoreUnavailableError:
                sys.exit(4)
            os.write(handle, f"{key}\n".encode())


if __name__ == "__main__":
    main()
