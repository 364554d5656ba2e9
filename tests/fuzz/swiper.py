"""A process that swipes until it is killed, and writes down what was acknowledged.

python -m tests.fuzz.swiper DATA_DIR STORE NAME ACKNOWLEDGED
"""

from __future__ import annotations

import os
import sys
from itertools import count

from mlrec import Recommender
from mlrec.errors import StoreUnavailableError
from tests.fuzz.swiping import planned


def main() -> None:
    data_dir, store, name, acknowledged = sys.argv[1:]
    handle = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Recommender.open(data_dir, store=store) as rec:
        for number in count():
            user_id, movie_id, preference = planned(name, number)
            try:
                rec.update_user(user_id, movie_id, preference, idempotency_key=f"{name}-{number}")
            except StoreUnavailableError:
                sys.exit(4)
            os.write(handle, f"{name}-{number}\n".encode())


if __name__ == "__main__":
    main()
