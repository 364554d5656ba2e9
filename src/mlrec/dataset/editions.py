"""The MovieLens editions: their archives, checksums, files and terms of use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

DEFAULT_MIRROR = "https://files.grouplens.org/datasets/movielens/"
DEMO = "demo"
"""Name of the ratings that come with the optional extra "demo"; they have no archive to download."""

TERMS = (
    "MovieLens data is for research. Acknowledge GroupLens in publications, do not use the data commercially without"
    " permission, and do not redistribute it unless the edition's own README allows that."
    " See https://grouplens.org/datasets/movielens/."
)
CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context."
    " ACM Transactions on Interactive Intelligent Systems (TiiS) 5, 4: 19. https://doi.org/10.1145/2827872"
)

ML_100K_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
"""The genre flags of u.item, in the order of its last 19 fields."""

CSV_MEMBERS = ("ratings.csv", "movies.csv", "links.csv")
DAT_MEMBERS = ("ratings.dat", "movies.dat")
OPTIONAL_MEMBERS = frozenset({"links.csv"})


@dataclass(frozen=True)
class Edition:
    """One MovieLens edition, as GroupLens publishes it.

    Attributes
    ----------
    name
        Its name on the command line.
    archive
        File name of its zip archive.
    description
        Numbers of ratings, users and movies, rounded for display.
    bytes, sha256, md5
        Size and published checksums of the archive, if known.
    checksum_is_firm
        Whether the archive never changes. If it may change, a different checksum gives a warning instead of an error.
    members
        Base names of the files that mlrec needs from the archive, ratings first.
    """

    name: str
    archive: str
    description: str
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    checksum_is_firm: bool = True
    members: tuple[str, ...] = CSV_MEMBERS

    @property
    def required(self) -> tuple[str, ...]:
        """The members that the edition cannot do without."""
        return tuple(member for member in self.members if member not in OPTIONAL_MEMBERS)


class Rows(NamedTuple):
    """The number of rows in an edition's files, without the header."""

    ratings: int
    movies: int


DEMO_EDITION = Edition(
    name=DEMO,
    archive="",
    description="100,004 ratings by 671 users of 9,066 movies, 2016",
    checksum_is_firm=False,
    members=("ratings.csv", "movies.csv"),
)
"""The data in the extra "demo": ml-latest-small of 2016, without the movies that nobody rated."""

EDITIONS: Mapping[str, Edition] = {
    edition.name: edition
    for edition in (
        Edition(
            name="ml-latest-small",
            archive="ml-latest-small.zip",
            description="100,000 ratings by 610 users of 9,700 movies; changes from time to time (1 MB)",
            bytes=978_202,
            sha256="696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
            checksum_is_firm=False,
        ),
        Edition(
            name="ml-latest",
            archive="ml-latest.zip",
            description="about 33 million ratings by 331,000 users; changes from time to time (350 MB)",
            checksum_is_firm=False,
        ),
        Edition(
            name="ml-100k",
            archive="ml-100k.zip",
            description="100,000 ratings by 943 users of 1,682 movies, 1998 (5 MB)",
            bytes=4_924_029,
            sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            md5="0e33842e24a9c977be4e0107933c0723",
            members=("u.data", "u.item"),
        ),
        Edition(
            name="ml-1m",
            archive="ml-1m.zip",
            description="1 million ratings by 6,040 users of 3,900 movies, 2003 (6 MB)",
            bytes=5_917_549,
            sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            md5="c4d9eecfca2ab87c1945afe126590906",
            members=DAT_MEMBERS,
        ),
        Edition(
            name="ml-10m",
            archive="ml-10m.zip",
            description="10 million ratings by 72,000 users of 10,000 movies, 2009 (66 MB)",
            md5="ce571fd55effeba0271552578f2648bd",
            members=DAT_MEMBERS,
        ),
        Edition(
            name="ml-20m",
            archive="ml-20m.zip",
            description="20 million ratings by 138,000 users of 27,000 movies, 2015 (199 MB)",
            bytes=198_702_078,
            sha256="96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
            md5="cd245b17a1ae2cc31bb14903e1204af3",
        ),
        Edition(
            name="ml-25m",
            archive="ml-25m.zip",
            description="25 million ratings by 162,000 users of 62,000 movies, 2019 (262 MB)",
            bytes=261_978_986,
            sha256="8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
            md5="6b51fb2759a8657d3bfcbfc42b592ada",
        ),
        Edition(
            name="ml-32m",
            archive="ml-32m.zip",
            description="32 million ratings by 201,000 users of 88,000 movies, 2023 (239 MB)",
            bytes=238_950_008,
            md5="d472be332d4daa821edc399621853b57",
        ),
    )
}

ROWS: Mapping[Edition, Rows] = {
    DEMO_EDITION: Rows(100_004, 9_066),
    EDITIONS["ml-latest-small"]: Rows(100_836, 9_742),
    EDITIONS["ml-latest"]: Rows(33_832_162, 86_537),
    EDITIONS["ml-100k"]: Rows(100_000, 1_682),
    EDITIONS["ml-1m"]: Rows(1_000_209, 3_883),
    EDITIONS["ml-10m"]: Rows(10_000_054, 10_681),
    EDITIONS["ml-20m"]: Rows(20_000_263, 27_278),
    EDITIONS["ml-25m"]: Rows(25_000_095, 62_423),
    EDITIONS["ml-32m"]: Rows(32_000_204, 87_585),
}
"""The number of rows in each edition, from the READMEs of GroupLens; no two editions have the same. For editions that
change from time to time, these are the numbers at the release of this version of mlrec."""
