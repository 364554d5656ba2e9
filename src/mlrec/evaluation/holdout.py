"""The holdout: a tenth of the users, by a hash of their ids, whom nothing that chooses settings ever looks at.

Training chooses on the others, tuning searches on the others, and mlrec's own defaults are studied on the others. So
the holdout's figures are those of users who had no part in any choice.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mlrec.ids import IdArray

SHARE = 0.1


def is_held_back(user_ids: IdArray) -> NDArray[np.bool_]:
    """Say which users are in the holdout, bool (users,).

    A user is in it if the first 8 bytes of BLAKE2b of the id as text, as a fraction of 2⁶⁴, are in the last tenth. So
    it is always the same users, whatever the data is filtered by.
    """
    hashes = (blake2b(str(one).encode(), digest_size=8).digest() for one in user_ids.tolist())
    fractions = np.fromiter((int.from_bytes(digest, "big") / 2**64 for digest in hashes), np.float64, len(user_ids))
    return fractions >= 1 - SHARE
