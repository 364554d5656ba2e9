"""Every request of the API: what it answers is what the library answers, and what it does not take it refuses."""

from __future__ import annotations

import json
import random
import re
import socket
from urllib.parse import quote, urlsplit

import httpx
import pytest

from mlrec import Recommender
from tests.serve.service import SHAWSHANK, SILENCE, TOY_STORY, Service


@pytest.fixture
def client(shared: Service) -> httpx.Client:
    return shared.client


@pytest.fixture(scope="module")
def library(demo):
    with Recommender.open(demo.root, store="memory") as recommender:
        yield recommender


@pytest.fixture
def user() -> int:
    return random.randrange(10**9, 10**12)


def plain(value):
    return json.loads(json.dumps(value, default=lambda one: one.to_json()))


def assert_problem(response: httpx.Response, status: int, words: str = "") -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert re.search(words, problem["detail"]), problem
    return problem


# -- what is answered --------------------------------------------------------------------------------------------------


def test_a_list_is_that_of_the_library_with_every_filter(client, library):
    assert client.get("/v1/users/42/recommendations").json() == [
        {**plain(item), "details": None} for item in library.get_top_n(42)
    ]
    query = {
        "n": 20, "genre": ["Comedy", "war"], "not_genre": "Romance", "first_year": 1980, "last_year": 1999,
        "diversity": 0.3, "include_seen": "true", "exclude": [356, 99_999_999],
    }  # fmt: skip
    expected = library.get_top_n(
        42,
        20,
        genres=["Comedy", "War"],
        not_genres=["Romance"],
        years=(1980, 1999),
        diversity=0.3,
        include_seen=True,
        exclude=[356],
    )
    found = client.get("/v1/users/42/recommendations", params=query).json()
    assert [item["movie_id"] for item in found] == [item.movie_id for item in expected]
    assert len(found) == 20
    assert all("Romance" not in item["genres"] and item["movie_id"] != 356 for item in found)
    one_side = client.get("/v1/users/42/recommendations", params={"first_year": 2010}).json()
    assert min(item["year"] for item in one_side) >= 2010


def test_only_these_not_those_and_few_of_each_genre(client, library):
    only = list(range(1, 2_000))
    wanted = {"only": only, "max_per_genre": 2, "not_genre": "Drama", "n": 20}
    expected = [item.movie_id for item in library.get_top_n(42, 20, only=only, max_per_genre=2, not_genres=["Drama"])]
    assert 3 < len(expected) < 20
    for path, inner in (("recommendations", lambda one: one), ("deck", lambda one: one["movie"])):
        found = client.get(f"/v1/users/42/{path}", params=wanted).json()
        assert [inner(one)["movie_id"] for one in found] == expected
    again = client.get("/v1/users/42/recommendations", params={"seen": "only", "n": 500}).json()
    assert [item["movie_id"] for item in again] == [item.movie_id for item in library.get_top_n(42, 500, seen="only")]
    body = {"user_ids": [42, 7], "seen": "only", "only": only, "max_per_genre": 1}
    for one in client.post("/v1/batch/recommendations", json=body).json():
        listed = library.get_top_n(one["user_id"], seen="only", only=only, max_per_genre=1)
        assert [item["movie_id"] for item in one["recommendations"]] == [item.movie_id for item in listed]
        assert one["why_empty"] is None
    for query in ("max_per_genre=0", "seen=all", "only=x", "include_seen=true&seen=only"):
        assert_problem(client.get(f"/v1/users/42/recommendations?{query}"), 422)


def test_an_empty_list_says_which_filter_left_nothing(client):
    words = "No movie is left: of 9,066 movies, only leaves 2 and genre leaves none."
    query = {"only": [1, 260], "genre": "Horror"}
    for path in ("recommendations", "deck"):
        answer = client.get(f"/v1/users/42/{path}", params=query)
        assert (answer.json(), answer.headers["X-Why-Empty"]) == ([], words)
    body = {"only": [1, 260], "genre": ["Horror"]}
    assert client.post("/v1/visitors/recommendations", json={"likes": [318], **body}).headers["X-Why-Empty"] == words
    (found,) = client.post("/v1/batch/recommendations", json={"user_ids": [42], **body}).json()
    assert found == {"user_id": 42, "recommendations": [], "why_empty": words}
    assert "X-Why-Empty" not in client.get("/v1/users/42/recommendations").headers


def test_the_deck_has_the_list_with_places_and_reasons(client, library):
    cards = client.get("/v1/users/42/deck", params={"n": 3, "not_genre": "Drama"}).json()
    listed = library.get_top_n(42, 3, not_genres=["Drama"])
    assert [card["movie"]["movie_id"] for card in cards] == [item.movie_id for item in listed]
    for card, item in zip(cards, listed, strict=True):
        standing = library.standing(42, item.movie_id)
        assert card["standing"] == {"rank": standing.rank, "of": 9066}
        because = library.explain(42, item.movie_id).because()
        assert [reason["movie_id"] for reason in card["because"]] == [reason.movie_id for reason in because]
    assert (
        client.get("/v1/users/42/deck", params={"n": 1, "exclude": listed[0].movie_id}).json()[0]["movie"]["movie_id"]
        == library.get_top_n(42, 1, exclude=[listed[0].movie_id])[0].movie_id
    )


def test_a_swipe_is_learned_and_can_be_sent_again(client, user):
    sent = {"movie_id": SHAWSHANK, "swipe": "superlike", "event_id": "card-1", "at": 1_790_000_000}
    first = client.post(f"/v1/users/{user}/swipes", json=sent, params={"n": 5})
    assert first.status_code == 200
    state = first.json()["state"]
    assert (state["preference"], state["is_new"], state["opinions"], state["in_effect"]) == (2, True, 1, True)
    assert len(first.json()["recommendations"]) == 5
    assert first.json()["recommendations"][0]["taste"] > 0
    again = client.post(f"/v1/users/{user}/swipes", json=sent).json()
    assert again == {"state": {**state, "is_new": False}, "recommendations": None}
    (event,) = client.get(f"/v1/users/{user}/swipes").json()
    assert (event["movie_id"], event["preference"], event["at"], event["idempotency_key"]) == (
        SHAWSHANK,
        2,
        1_790_000_000,
        "card-1",
    )
    assert_problem(client.post(f"/v1/users/{user}/swipes", json={**sent, "swipe": "like"}), 409, "card-1")


def test_the_idempotency_key_is_the_event_id(client, user):
    sent = {"movie_id": SHAWSHANK, "swipe": "like"}
    for header in ("card-1", '"card-1"', "card-1"):
        last = client.post(f"/v1/users/{user}/swipes", json=sent, headers={"Idempotency-Key": header})
    assert last.json()["state"]["is_new"] is False
    same = client.post(f"/v1/users/{user}/swipes", json={**sent, "event_id": "card-1"})
    assert same.json()["state"]["is_new"] is False
    assert len(client.get(f"/v1/users/{user}/swipes").json()) == 1
    both = client.post(f"/v1/users/{user}/swipes", json={**sent, "event_id": "a"}, headers={"Idempotency-Key": "b"})
    assert_problem(both, 422, "differ")
    for bad in ("", "x" * 201, "a b"):
        assert_problem(client.post(f"/v1/users/{user}/swipes", json=sent, headers={"Idempotency-Key": bad}), 400)
    undone = [
        client.delete(f"/v1/users/{user}/swipes/latest", headers={"Idempotency-Key": "undo-1"}).json() for _ in range(3)
    ]
    assert [one["state"]["is_new"] for one in undone] == [True, False, False]
    assert_problem(client.delete(f"/v1/users/{user}/swipes/latest", params={"event_id": "undo-2"}), 409, "no swipe")


def test_what_is_known_of_a_user(client, user, library):
    for movie, swipe in ((SHAWSHANK, "like"), (SILENCE, "dislike"), (TOY_STORY, "skip")):
        client.post(f"/v1/users/{user}/swipes", json={"movie_id": movie, "swipe": swipe})
    client.delete(f"/v1/users/{user}/swipes/latest")
    profile = client.get(f"/v1/users/{user}").json()
    assert (profile["swipes"], profile["undone"], profile["likes"], profile["dislikes"]) == (2, 1, 1, 1)
    log = client.get(f"/v1/users/{user}/swipes").json()
    assert [(event["preference"], event["undone"]) for event in log] == [(1, False), (-1, False), (0, True)]
    assert client.get(f"/v1/users/{user}/swipes", params={"n": 1}).json() == log[-1:]
    assert client.get("/v1/users/42/ratings", params={"n": 3}).json() == plain(library.ratings(42)[-3:])
    why = client.get(f"/v1/users/{user}/why/296").json()
    assert why["score"] == pytest.approx(why["popularity"] + sum(part["value"] for part in why["likes"]), abs=1e-6)


def test_forgetting_is_for_good(client, user):
    client.post(f"/v1/users/{user}/swipes", json={"movie_id": SHAWSHANK, "swipe": "like"})
    assert client.delete(f"/v1/users/{user}").json() == {"user_id": user, "deleted": 1}
    assert client.get(f"/v1/users/{user}").json()["is_forgotten"] is True
    refused = client.post(f"/v1/users/{user}/swipes", json={"movie_id": SHAWSHANK, "swipe": "like"})
    assert_problem(refused, 410, "forgotten")
    assert client.get(f"/v1/users/{user}/recommendations").json()[0]["source"] == "popular"


def test_visitors_leave_nothing(client, library):
    asked = {"likes": [2571], "dislikes": [SHAWSHANK], "n": 5, "not_genre": ["Horror"]}
    found = client.post("/v1/visitors/recommendations", json=asked).json()
    expected = library.recommend_for([2571], [SHAWSHANK], 5, not_genres=["Horror"])
    assert [item["movie_id"] for item in found] == [item.movie_id for item in expected]
    why = client.post("/v1/visitors/why", json={"movie_id": 296, "likes": [2571]}).json()
    assert why["user_id"] is None
    assert why["score"] == pytest.approx(library.explain_for(296, [2571]).score)
    assert_problem(client.post("/v1/visitors/recommendations", json={"likes": [1], "dislikes": [1]}), 422, "both")


def test_batches(client, user, library):
    lists = client.post("/v1/batch/recommendations", json={"user_ids": [42, 43, user], "n": 2}).json()
    assert [one["user_id"] for one in lists] == [42, 43, user]
    assert [item["movie_id"] for item in lists[0]["recommendations"]] == [i.movie_id for i in library.get_top_n(42, 2)]
    swipes = [
        {"user_id": user, "movie_id": SHAWSHANK, "swipe": "like", "event_id": "1"},
        {"user_id": user, "movie_id": 51, "swipe": "like", "event_id": "2"},
        {"user_id": user + 1, "movie_id": SILENCE, "swipe": "dislike", "event_id": "3"},
    ]
    replies = client.post("/v1/batch/swipes", json={"swipes": swipes}).json()
    assert [reply["status"] for reply in replies] == [200, 404, 200]
    assert "51" in replies[1]["detail"]
    assert [reply["state"]["is_new"] for reply in (replies[0], replies[2])] == [True, True]
    assert len(client.get(f"/v1/users/{user}/swipes").json()) == 1


def test_movies(client, library):
    assert client.get("/v1/movies/1").json()["title"] == "Toy Story"
    assert client.get("/v1/movies", params={"title": "rashomon"}).json()[0]["movie_id"] == 5291
    assert [item["movie_id"] for item in client.get("/v1/movies/1/similar", params={"n": 3}).json()] == [
        item.movie_id for item in library.similar_movies(1, 3)
    ]
    genres = client.get("/v1/genres").json()
    assert [genre["name"] for genre in genres] == sorted(genre["name"] for genre in genres)
    assert {"name": "Film-Noir", "movies": sum("Film-Noir" in movie.genres for movie in library.movies())} in genres
    assert client.get("/v1/model").json()["movies"] == 9066


def test_movie_ids_of_other_sites(demo_raw, tmp_path):
    import shutil

    from mlrec.dataset.prepare import prepare
    from mlrec.model.train import train
    from mlrec.workspace import Workspace
    from tests.serve.service import serving

    raw = tmp_path / "raw"
    shutil.copytree(demo_raw, raw)
    (raw / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0114709,862\n")
    workspace = Workspace(tmp_path / "data")
    prepare(workspace, raw=raw)
    train(workspace)
    with serving(workspace.root, "--no-page") as service:
        movie = service.client.get("/v1/movies/1").json()
        assert (movie["imdb_id"], movie["tmdb_id"]) == ("tt0114709", 862)
        assert_problem(service.client.get("/"), 404)


def test_text_ids(text_copy):
    from mlrec.artifacts import model_folder, registry
    from tests.serve.service import serving

    model = model_folder.open_model(registry.resolve(text_copy))
    movie = model.movie_ids[3].decode()
    with serving(text_copy.root) as service:
        for who in ("a b/c", "é", "%41", "42", "🎬"):
            path = f"/v1/users/{quote(who, safe='')}"
            reply = service.client.post(f"{path}/swipes", json={"movie_id": movie, "swipe": "like"})
            assert reply.json()["state"]["user_id"] == who
            assert service.client.get(path).json()["user_id"] == who
        assert service.client.get(f"/v1/movies/{quote(movie, safe='')}").json()["movie_id"] == movie
        session = service.client.post("/session").json()
        assert session["user_id"].startswith("visitor-")


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "n=0",
        "n=1001",
        "n=x",
        "n=1e3",
        "n=1&n=2",
        "nn=1",
        "diversity=nan",
        "diversity=inf",
        "diversity=2",
        "first_year=-1",
        "genre=Nonsense",
        "not_genre=Nonsense",
        "exclude=x",
        "include_seen=perhaps",
        "first_year=2000&last_year=1990",
        f"first_year={'9' * 5000}",
        "first_year=1e400",
        "genre=" + "x" * 501,
        "N=5",
        "%ff=1",
    ],
)
def test_query_parameters_that_cannot_be_used(client, query):
    response = client.get(f"/v1/users/42/recommendations?{query}")
    assert_problem(response, 400 if query.startswith("%ff") else 422)


def test_a_list_of_ten_thousand_excludes_is_taken_and_a_longer_one_is_refused(client):
    # Httpx makes too long an address of it; a program might not.
    def ask(n: int) -> bytes:
        path = "/v1/users/42/recommendations?n=1" + "".join(f"&exclude={i}" for i in range(n))
        host = urlsplit(str(client.base_url))
        with socket.create_connection((host.hostname, host.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))

    assert re.match(rb"HTTP/1.1 (200|4\d\d) ", ask(10_000))
    assert re.match(rb"HTTP/1.1 4\d\d", ask(10_001))
    body = {"likes": [1], "exclude": list(range(10_000)), "n": 1}
    assert client.post("/v1/visitors/recommendations", json=body).status_code == 200
    assert_problem(client.post("/v1/visitors/recommendations", json={**body, "exclude": list(range(10_001))}), 422)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"movie_id": NaN, "swipe": "like"}',
        b'{"movie_id": 318}',
        b'{"movie_id": 318, "swipe": "love"}',
        b'{"movie_id": "318", "swipe": "like"}',
        b'{"movie_id": 318.5, "swipe": "like"}',
        b'{"movie_id": true, "swipe": "like"}',
        b'{"movie_id": 318, "swipe": "like", "more": 1}',
        b'{"movie_id": 318, "swipe": "like", "at": -5}',
        b'{"movie_id": 318, "swipe": "like", "at": 1e99}',
        b'{"movie_id": 318, "swipe": "like", "event_id": "\\ud800"}',
        b'{"movie_id": 318, "swipe": "like", "event_id": ""}',
        b'{"movie_id": ' + b"9" * 5000 + b', "swipe": "like"}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
    ],
)
def test_bodies_that_cannot_be_used(client, user, content):
    headers = {"Content-Type": "application/json"}
    response = client.post(f"/v1/users/{user}/swipes", content=content, headers=headers)
    assert response.status_code in (400, 422), response.text
    assert_problem(response, response.status_code)
    assert client.get(f"/v1/users/{user}/swipes").json() == []


def test_a_body_that_is_not_declared_as_json_is_refused(client, user):
    content = b'{"movie_id": 318, "swipe": "like"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {} if kind is None else {"Content-Type": kind}
        assert client.post(f"/v1/users/{user}/swipes", content=content, headers=headers).status_code == 422
    assert client.get(f"/v1/users/{user}/swipes").json() == []


def test_a_body_over_the_limit_is_refused_declared_or_not(client):
    body = b'{"likes": [' + b"1," * 200_000 + b"1]}"
    headers = {"Content-Type": "application/json"}
    assert_problem(client.post("/v1/visitors/recommendations", content=body, headers=headers), 413)
    pieces = (body[i : i + 10_000] for i in range(0, len(body), 10_000))
    assert_problem(client.post("/v1/visitors/recommendations", content=pieces, headers=headers), 413)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/users/abc/recommendations", 422),
        ("/v1/users/1_0/recommendations", 422),
        ("/v1/users/٤٢/recommendations", 422),
        (f"/v1/users/{'9' * 50}/recommendations", 422),
        (f"/v1/users/{2**63}", 422),
        ("/v1/movies/51", 404),
        ("/v1/movies/51/similar", 404),
        ("/v1/users/42/why/51", 404),
        ("/v1/movies", 422),
        ("/v1/movies?title=", 422),
        ("/v1/nothing", 404),
        ("/v1/users/%ff/recommendations", 400),
        ("/v1/genres?n=1", 422),
        ("/docs/x", 404),
        ("/page/../app.py", 404),
        ("/page/%2e%2e%2fapp.py", 404),
        ("/livez?x=1", 422),
    ],
)
def test_addresses_that_cannot_be_used(client, path, status):
    assert_problem(client.get(path), status)


def test_an_unknown_movie_names_near_ones_and_no_command_line(client):
    problem = assert_problem(client.get("/v1/movies/51"), 404, "does not know movie 51")
    assert re.match(r"Nearest ids: (\d+ .+; )+\d+ ", problem["hint"])
    assert "mlrec " not in problem["hint"]


def test_other_methods_are_refused(client):
    assert_problem(client.put("/v1/users/42/swipes", json={}), 405)
    assert_problem(client.post("/v1/genres"), 405)
    assert client.request("BREW", "/v1/genres").status_code == 400  # the server below does not know it


def test_a_foreign_host_name_is_refused_without_keys(client):
    """A page of somebody else that lets its own name point to this machine reaches nothing."""
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
        assert_problem(client.get("/v1/genres", headers={"Host": host}), 421)
    for host in ("localhost", "LOCALHOST:80", "[::1]:8000"):
        assert client.get("/v1/genres", headers={"Host": host}).status_code == 200


def test_every_answer_has_a_request_id_and_the_headers_of_safety(client):
    for path in ("/v1/genres", "/v1/nothing", "/", "/docs", "/livez"):
        headers = client.get(path).headers
        assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/livez", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get("/livez", headers={"X-Request-ID": "not, ours"}).headers["x-request-id"] != "not, ours"


def test_ten_thousand_malformed_requests_meet_no_bug(client):
    """Random damage to requests that are right: whatever comes back is an answer, and never one of 5xx."""
    chance = random.Random(16)
    pieces = [
        "42",
        "318",
        "-1",
        "0",
        "x",
        "",
        "é",
        "%00",
        "%ff",
        "%2F",
        "..",
        "NaN",
        "1e309",
        "9" * 400,
        "null",
        "true",
        "\\ud800",
        "[]",
        "{}",
        '"',
        "'",
        ";",
        "&",
        "=",
        "?",
        "#",
        " ",
        "\t",
        "𝕏",
        "a" * 300,
    ]
    paths = [
        "/v1/users/{}/recommendations?n={}&genre={}",
        "/v1/users/{}/deck?first_year={}&exclude={}",
        "/v1/users/{}?{}={}",
        "/v1/users/{}/why/{}?{}",
        "/v1/movies/{}/similar?n={}&{}",
        "/v1/movies?title={}&n={}{}",
        "/v1/users/{}/swipes?n={}{}",
        "/v1/genres?{}={}{}",
        "/{}{}{}",
        "/page/{}{}{}",
        "/metrics?{}{}{}",
        "/v1/{}/{}/{}",
    ]
    bodies = [
        '{{"movie_id": {}, "swipe": "{}", "event_id": {}}}',
        '{{"likes": [{}], "dislikes": [{}], "n": {}}}',
        '{{"user_ids": [{}, {}], "n": {}}}',
        '{{"swipes": [{{"user_id": {}, "movie_id": {}, "swipe": "{}"}}]}}',
        "{}{}{}",
        '{{"{}": {}, "likes": {}}}',
    ]
    routes = [
        "/v1/users/{}/swipes",
        "/v1/visitors/recommendations",
        "/v1/batch/recommendations",
        "/v1/batch/swipes",
        "/v1/visitors/why",
        "/session?user={}",
    ]
    statuses: dict[int, int] = {}
    host = urlsplit(str(client.base_url))
    connection = socket.create_connection((host.hostname, host.port), timeout=20)
    reader = connection.makefile("rb")
    for _ in range(10_000):
        if chance.random() < 0.6:
            method, body = chance.choice(["GET", "GET", "DELETE"]), b""
            path = chance.choice(paths).format(*chance.choices(pieces, k=3))
            if method == "DELETE":
                path = "/v1/users/{}/swipes/latest?event_id={}".format(*chance.choices(pieces, k=2))
        else:
            method = "POST"
            path = chance.choice(routes).format(chance.choice(pieces))
            body = chance.choice(bodies).format(*chance.choices(pieces, k=3)).encode("utf-8", "surrogatepass")
        target = "".join(c if "!" <= c <= "~" else quote(c) for c in path)
        request = (
            f"{method} {target} HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        connection.sendall(request + body)
        status, length, closes = int(reader.readline().split()[1]), 0, False
        while (line := reader.readline().strip().lower()) != b"":
            length = int(line.split(b":")[1]) if line.startswith(b"content-length") else length
            closes |= line == b"connection: close"
        content = reader.read(length)
        statuses[status] = statuses.get(status, 0) + 1
        assert status < 500, (request, body, content)
        if closes:
            connection.close()
            connection = socket.create_connection((host.hostname, host.port), timeout=20)
            reader = connection.makefile("rb")
    connection.close()
    assert sum(statuses.values()) == 10_000
    assert statuses[422] > 2000
    assert statuses[200] > 100
    assert client.get("/readyz").status_code == 200
