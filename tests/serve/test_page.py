"""The page in a real Chromium: everything that a person does on it, with the mouse, the finger and the keyboard."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.processes import CHROMIUM, wait_until
from tests.serve.service import Service

if CHROMIUM is None and os.environ.get("CI") == "true":
    raise RuntimeError("CI needs a Chromium: nothing is skipped there")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")

SCREENSHOTS = os.environ.get("MLREC_SCREENSHOTS")
"""Folder in which the pictures of the session are kept, for a reviewer."""

PATIENCE = 60_000
"""Milliseconds in which a page shows what it is to show. A fast machine takes a few; a busy one many."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser):
    """Open a page for somebody new; at the end, it must not have logged an error or asked another site for anything."""
    contexts, faults = [], []

    def open_page(service: Service, path: str = "/", expected: str = r"^$", **options) -> Page:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if message.type in ("error", "warning") and not re.search(expected, message.text)
                else None
            ),
        )
        page.on(
            "request", lambda one: None if one.url.startswith((service.address, "data:")) else faults.append(one.url)
        )
        page.goto(f"{service.address}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def begin(page: Page, likes: int = 3) -> None:
    """Get through the beginning with some likes."""
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(24)
    for number in range(likes):
        tiles.nth(number).click()
    page.get_by_role("button", name=re.compile("^Start with")).click()
    expect(card(page)).to_be_visible()


def card(page: Page):
    return page.locator(".card:not(.gone)")


def title(page: Page) -> str:
    return card(page).locator("h2").inner_text()


def log(service: Service, page: Page) -> list[dict]:
    return service.client.get(f"/v1/users/{user(page)}/swipes").json()


def user(page: Page) -> int:
    return page.evaluate("fetch('session', {method: 'POST'}).then((answer) => answer.json())")["user_id"]


def swipes(service: Service, page: Page) -> list[tuple[int, bool]]:
    return [(event["preference"], event["undone"]) for event in log(service, page)]


def settled(page: Page) -> None:
    """Wait until no answer is on its way."""
    wait_until(
        lambda: page.evaluate("Object.keys(localStorage).every((key) => localStorage[key] === '[]')"),
        pause=0.05,
    )


def shoot(page: Page, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def test_a_session_from_the_beginning_to_the_reload(shared, new_page):
    page = new_page(shared)
    expect(page.get_by_role("heading", name="Which of these do you like?")).to_be_visible()
    shoot(page, "01-beginning")
    page.get_by_label("Or search for a film that you like").fill("rashomon")
    page.get_by_role("button", name="＋ Rashomon").click()
    expect(page.locator(".tile").first).to_have_attribute("aria-pressed", "true")
    page.locator(".tile").nth(2).click()
    page.get_by_role("button", name="Start with 2 films you like").click()
    expect(card(page)).to_be_visible()
    settled(page)
    assert swipes(shared, page) == [(1, False)] * 2
    assert 5291 in [event["movie_id"] for event in log(shared, page)]
    shoot(page, "02-first-card")

    seen = []
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Space", "l", "d", "s", "x", "ArrowRight"):
        seen.append(title(page))
        page.keyboard.press(key)
        expect(card(page).locator("h2")).not_to_have_text(seen[-1])
    shoot(page, "03-ten-cards")
    settled(page)
    assert len(set(seen)) == 10
    assert [preference for preference, _ in swipes(shared, page)[2:]] == [1, -1, 2, -2, 0, 1, -1, 2, -2, 1]

    page.keyboard.press("Backspace")
    wait_until(lambda: swipes(shared, page)[-1] == (1, True), pause=0.05)
    expect(card(page)).to_be_visible()
    shoot(page, "04-undo")

    page.keyboard.press("w")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".parts li").first).to_be_visible()
    values = [
        float(text.replace("−", "-")) for text in dialog.locator(".parts").first.locator(".value").all_inner_texts()
    ]
    (score,) = map(float, re.findall(r"Score: (-?[\d.]+)\. ", dialog.inner_text()))
    assert sum(values) == pytest.approx(score, abs=0.01)
    shoot(page, "05-why")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    page.get_by_role("link", name="My list").click()
    expect(page.locator(".row")).to_have_count(30)
    shoot(page, "06-list")
    page.get_by_role("link", name="History").click()
    expect(page.locator(".row")).to_have_count(12)
    expect(page.locator(".row").first).to_contain_text("undone")
    shoot(page, "07-history")
    page.get_by_role("link", name="Me").click()
    expect(page.locator(".facts-list")).to_contain_text("11 (1 undone)")

    page.goto(f"{shared.address}/")
    page.reload()
    expect(card(page)).to_be_visible()
    assert title(page) not in seen[:9]
    shoot(page, "08-reload")


def test_the_list_beside_moves_and_says_so(shared, new_page):
    page = new_page(shared)
    begin(page)
    expect(page.locator(".top li")).to_have_count(8)
    settled(page)
    before = page.locator(".top .place-title").all_inner_texts()
    for _ in range(3):
        now = title(page)
        page.keyboard.press("ArrowUp")
        expect(card(page).locator("h2")).not_to_have_text(now)
    settled(page)
    wait_until(lambda: page.locator(".top .place-title").all_inner_texts() != before, pause=0.05)
    expect(page.locator(".change")).to_contain_text("In:")
    expect(page.locator(".top .moved").first).to_be_visible()
    expect(page.locator("#said")).to_contain_text(re.compile("Superliked|Your list"))
    expected = shared.client.get(f"/v1/users/{user(page)}/recommendations", params={"n": 8}).json()
    wait_until(
        lambda: (
            page.locator(".top .place-title").all_inner_texts() == [f"{m['title']} ({m['year']})" for m in expected]
        ),
    )


@pytest.mark.parametrize(
    ("x", "y", "preference"), [(200, 10, 1), (-200, 0, -1), (5, -180, 2), (0, 180, -2), (40, 20, None)]
)
@pytest.mark.parametrize(("pointer", "part"), [("mouse", ".picture"), ("mouse", ".facts"), ("touch", ".picture")])
def test_the_card_follows_the_pointer(shared, new_page, x, y, preference, pointer, part):
    page = new_page(shared, has_touch=pointer == "touch")
    begin(page)
    settled(page)
    first, n = title(page), len(swipes(shared, page))
    box = card(page).locator(part).bounding_box()
    start = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    steps = [(start[0] + x * i / 5, start[1] + y * i / 5) for i in range(6)]
    if pointer == "mouse":
        page.mouse.move(*start)
        page.mouse.down()
        for step in steps:
            page.mouse.move(*step)
        assert "translate" in card(page).get_attribute("style")
        if preference is not None:
            expect(page.locator(".stamp").first).not_to_have_text("")
        page.mouse.up()
    else:
        session = page.context.new_cdp_session(page)
        for number, (to_x, to_y) in enumerate(steps):
            points = [{"x": to_x, "y": to_y}]
            session.send(
                "Input.dispatchTouchEvent", {"type": "touchMove" if number else "touchStart", "touchPoints": points}
            )
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    if preference is None:
        expect(card(page)).not_to_have_attribute("style", re.compile("."))
        assert title(page) == first
    else:
        expect(card(page).locator("h2")).not_to_have_text(first)
    settled(page)
    assert [p for p, _ in swipes(shared, page)[n:]] == ([] if preference is None else [preference])


def test_the_keyboard_alone_is_enough(shared, new_page):
    page = new_page(shared)
    expect(page.locator(".tile")).to_have_count(24)

    def tab_to(selector: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", selector
                return
        raise AssertionError(f"{selector} cannot be reached")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "jump"
    tab_to(".tile")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    tab_to("button.main")
    page.keyboard.press("Enter")
    expect(card(page)).to_be_visible()
    settled(page)
    assert swipes(shared, page) == [(1, False)] * 2

    first = title(page)
    page.keyboard.press("n")  # not seen: put aside, and nothing is stored
    expect(card(page).locator("h2")).not_to_have_text(first)
    page.keyboard.press("Backspace")
    expect(card(page).locator("h2")).to_have_text(first)
    assert swipes(shared, page) == [(1, False)] * 2

    tab_to(".answer.like")
    page.keyboard.press("Enter")
    expect(card(page).locator("h2")).not_to_have_text(first)
    assert page.evaluate("document.activeElement.matches('.answer.like')")  # the focus stays where it was
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Superlike")
    page.keyboard.press("Escape")
    tab_to("summary")
    page.keyboard.press("Enter")
    tab_to(".genre select")
    page.keyboard.press("ArrowDown")
    expect(page.locator("summary")).to_contain_text("Action")
    page.evaluate("document.activeElement.blur()")
    tab_to("nav a[href='#history']")
    page.keyboard.press("Enter")
    expect(page.locator(".row")).to_have_count(3)
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(".row .small")
    page.keyboard.press("Enter")
    wait_until(lambda: swipes(shared, page)[-1] == (1, True), pause=0.05)


def test_filters_are_those_of_the_deck_and_of_the_list(shared, new_page):
    page = new_page(shared, "/#list")
    page.locator("summary").click()
    page.get_by_label("Film-Noir").select_option("only")
    page.get_by_label("Crime").select_option("not")
    page.get_by_label("To year").fill("1955")
    page.get_by_label("To year").press("Enter")
    expect(page.locator("summary")).to_have_text("Filters: Film-Noir · not Crime · …–1955")
    wait_until(
        lambda: all("Film-Noir" in text and "Crime" not in text for text in page.locator(".row").all_inner_texts()),
    )
    years = [int(year) for year in re.findall(r"\((\d{4})\)", " ".join(page.locator(".row h3").all_inner_texts()))]
    assert max(years) <= 1955
    assert len(years) > 5
    page.get_by_role("link", name="Swipe").click()
    begin(page, 1)
    expect(card(page).locator(".chips")).to_contain_text("Film-Noir")
    page.reload()
    expect(card(page).locator(".chips")).to_contain_text("Film-Noir")
    page.locator("summary").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("summary")).to_have_text("Filters")


def test_a_filter_changed_beside_the_deck_changes_the_card_that_is_seen_and_answered(shared, new_page):
    page = new_page(shared)
    begin(page)
    settled(page)
    page.locator("summary").click()
    page.get_by_label("Western").select_option("only")
    expect(card(page).locator(".chips")).to_contain_text("Western")
    expect(page.locator(".card:not(.gone)")).to_have_count(1)
    seen = page.evaluate(
        """() => {
            const box = document.querySelector(".stack").getBoundingClientRect();
            return document.elementFromPoint(box.x + box.width * 0.8, box.y + 100).closest(".card").innerText;
        }"""
    )
    assert "Western" in seen
    n = len(log(shared, page))
    page.locator(".answer.like").click()
    settled(page)
    (event,) = log(shared, page)[n:]
    assert event["title"] in seen


def test_answers_of_somebody_who_is_gone_do_not_reach_the_next_one(shared, new_page):
    page = new_page(shared, expected="Failed to load resource|ERR_")
    begin(page)
    settled(page)
    first = user(page)
    page.route("**/swipes", lambda route: route.abort())
    page.keyboard.press("ArrowRight")
    expect(page.locator("#connection")).to_contain_text("1 answer")
    page.goto(f"{shared.address}/#me")
    page.get_by_role("button", name="Start over as a new user").click()
    expect(page.get_by_role("heading", name="Which of these do you like?")).to_be_visible()
    expect(page.locator("#connection")).to_be_hidden()
    page.unroute("**/swipes")
    assert user(page) != first
    assert log(shared, page) == []


@pytest.mark.parametrize("how", ["offline", "stopped"])
def test_answers_survive_a_service_that_is_gone(serve, new_page, how):
    service = serve()
    page = new_page(service, expected="Failed to load resource|ERR_")
    begin(page)
    settled(page)
    n = len(swipes(service, page))
    if how == "offline":
        page.context.set_offline(True)
    else:
        os.kill(service.process.pid, signal.SIGSTOP)
    answered = []
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp"):
        answered.append(title(page))
        page.keyboard.press(key)
        expect(card(page).locator("h2")).not_to_have_text(answered[-1])
    if how == "offline":
        expect(page.locator("#connection")).to_contain_text("3 answers kept here")
        page.context.set_offline(False)
    else:
        assert (
            page.evaluate(
                "JSON.parse(Object.entries(localStorage).find(([key]) => key.startsWith('mlrec-outbox'))[1]).length"
            )
            == 3
        )
        os.kill(service.process.pid, signal.SIGCONT)
    settled(page)
    expect(page.locator("#connection")).to_be_hidden()
    events = log(service, page)[n:]
    assert [event["preference"] for event in events] == [1, -1, 2]
    assert [f"{event['title']} ({event['year']})" for event in events] == answered
    assert all(event["idempotency_key"].startswith("page-") for event in events)


def test_undo_takes_back_what_is_stored_though_its_acknowledgement_was_lost(serve, new_page):
    service = serve()
    page = new_page(service, expected="Failed to load resource|ERR_")
    begin(page, 1)
    settled(page)

    lost: list[bool] = []

    def store_and_lose_the_answer(route):
        if not lost:
            route.fetch()
        route.abort()
        lost.append(True)

    page.route("**/swipes", store_and_lose_the_answer)
    page.keyboard.press("ArrowRight")
    wait_until(lambda: page.evaluate("1") and bool(lost), pause=0.05)
    assert len(swipes(service, page)) == 2
    page.keyboard.press("ArrowLeft")  # never sent: it waits behind the first
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.unroute_all(behavior="wait")
    settled(page)
    assert swipes(service, page) == [(1, False), (1, True)]


def test_an_undo_behind_a_refused_answer_takes_nothing_else_back(serve, new_page):
    service = serve()
    page = new_page(service, expected="Failed to load resource|status of 404")
    begin(page, 2)
    settled(page)
    held: list[Route] = []
    page.route("**/swipes", lambda route: held.append(route))
    page.keyboard.press("ArrowRight")
    wait_until(lambda: page.evaluate("1") and bool(held), pause=0.05)
    page.keyboard.press("Backspace")
    problem = {"title": "Not found", "status": 404, "detail": "The model does not know the movie.", "hint": ""}
    held[0].fulfill(status=404, content_type="application/problem+json", body=json.dumps(problem))
    expect(page.get_by_role("dialog")).to_contain_text("does not know")
    page.unroute("**/swipes")
    settled(page)
    assert swipes(service, page) == [(1, False)] * 2


def test_a_double_click_stores_a_beginning_once(shared, new_page):
    page = new_page(shared)
    expect(page.locator(".tile")).to_have_count(24)
    for number in range(2):
        page.locator(".tile").nth(number).click()
    page.locator("button.main").dblclick()
    expect(card(page)).to_be_visible()
    settled(page)
    assert swipes(shared, page) == [(1, False)] * 2


def test_one_gesture_answers_one_card(shared, new_page):
    """A card that was answered by a key while it was held does not answer the next one when it is let go."""
    page = new_page(shared, reduced_motion="no-preference")
    begin(page, 1)
    settled(page)
    box = card(page).locator(".picture").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 50, steps=4)
    page.keyboard.press("ArrowRight")
    page.mouse.up()
    page.wait_for_timeout(600)
    settled(page)
    assert swipes(shared, page) == [(1, False)] * 2


def test_answers_kept_in_the_browser_are_sent_after_a_reload(serve, new_page):
    service = serve()
    page = new_page(service, expected="Failed to load resource|ERR_")
    begin(page)
    settled(page)
    n = len(swipes(service, page))
    page.route("**/swipes", lambda route: route.abort())
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#connection")).to_contain_text("2 answers")
    page.unroute("**/swipes")
    page.reload()
    settled(page)
    assert [preference for preference, _ in swipes(service, page)[n:]] == [1, -1]


def test_the_page_says_when_the_service_can_be_reached_again(shared, new_page):
    page = new_page(shared, expected="Failed to load resource|ERR_")
    begin(page)
    settled(page)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()

    # Without the browser's word for it, any answer to any view will do.
    page.get_by_role("link", name="History").click()
    expect(page.locator(".row").first).to_be_visible()
    page.wait_for_timeout(3500)  # what the deck has asked for meanwhile is answered, and it asks no more
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#connection")).to_be_visible()
    page.get_by_role("link", name="My list").click()
    expect(page.locator(".row")).to_have_count(30)
    expect(page.locator("#connection")).to_be_hidden()


def test_a_user_that_cannot_be_leads_back_to_oneself(shared, new_page):
    page = new_page(shared, "/?user=forty-two", expected="422")
    expect(page.get_by_role("alert")).to_contain_text("whole number")
    page.get_by_role("link", name="History").click()  # nobody is here yet, so there is no history to show
    page.get_by_role("button", name="Continue as yourself").click()
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    assert "user=" not in page.url
    page.get_by_role("link", name="Swipe", exact=True).click()
    begin(page)


def test_each_view_says_where_an_answer_came_from(shared, new_page):
    page = new_page(shared)
    begin(page, 1)
    settled(page)
    sent = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.method == "POST" else None)

    def like_first(scope) -> str:
        sent.clear()
        scope.locator(".row button.like").first.click()
        settled(page)
        (swipe,) = sent
        return swipe["source"]

    page.get_by_role("link", name="My list").click()
    assert like_first(page.locator("#view")) == "personal"
    page.locator(".row").nth(1).get_by_role("button", name=re.compile("^Films like")).click()
    assert like_first(page.get_by_role("dialog")) == "similar"
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Find").click()
    page.get_by_label("Title, or a part of it").fill("Rashomon")
    assert like_first(page.locator("#view")) == "search"


def test_forgetting_and_somebody_new(shared, new_page):
    page = new_page(shared)
    begin(page)
    settled(page)
    first = user(page)
    page.goto(f"{shared.address}/#me")
    page.get_by_role("button", name="Forget me…").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget me", exact=True).click()
    expect(page.get_by_role("heading", name="Which of these do you like?")).to_be_visible()
    assert user(page) != first
    assert shared.client.get(f"/v1/users/{first}").json()["is_forgotten"] is True


def test_another_user_where_there_are_no_keys(shared, new_page):
    page = new_page(shared, "/?user=42")
    expect(card(page)).to_be_visible()
    expected = shared.client.get("/v1/users/42/recommendations").json()[0]
    assert title(page) == f"{expected['title']} ({expected['year']})"
    assert "Because you liked" in card(page).inner_text()


def test_with_keys_the_page_has_a_session_of_its_own(serve, new_page, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"app = {'k' * 32}\n")
    service = serve("--api-key-file", str(keys))
    page = new_page(service)
    begin(page)
    page.keyboard.press("ArrowRight")
    settled(page)
    page.goto(f"{service.address}/#me")
    expect(page.locator(".facts-list")).to_contain_text("4 (0 undone)")
    expect(page.get_by_text("Swipe as another user")).to_have_count(0)


def test_real_posters_come_from_the_named_origin_only(serve, new_page, demo_copy):
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    asked = []

    class Posters(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path != "/tt0000001.svg" else 404)
            self.send_header("Content-Type", "image/svg+xml")
            self.end_headers()
            self.wfile.write(
                b'<svg xmlns="http://www.w3.org/2000/svg" width="2" height="3"><rect width="2" height="3"/></svg>'
            )

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Posters) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_port}"
        service = serve("--poster-url", f"{origin}/{{tmdb_id}}.svg")
        policy = service.client.get("/").headers["content-security-policy"]
        assert f"img-src 'self' data: {origin};" in policy
        page = new_page(service)
        begin(page)  # the demo data has no ids of other sites: every poster is drawn
        assert page.locator("svg.poster").count() >= 1
        assert asked == []
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["", "#list", "#find", "#history", "#me", "docs"])
def test_axe_finds_nothing(shared, new_page, view, scheme):
    page = new_page(shared, "/docs" if view == "docs" else "/", color_scheme=scheme)
    if view == "docs":
        expect(page.locator("details").first).to_be_visible()
        for one in page.locator("details").all()[:4]:
            one.locator("summary").click()
    else:
        expect(page.locator(".tile").first).to_be_visible()
        assert_accessible(page)
        begin(page)
        page.keyboard.press("ArrowRight")
        settled(page)
        if view:
            page.goto(f"{shared.address}/{view}")
        expect(page.locator("#view > *").first).to_be_visible()
        if view == "#find":
            page.get_by_label("Title, or a part of it").fill("star")
            expect(page.locator(".row").first).to_be_visible()
        if view in ("", "#list"):
            page.locator("summary").click()
            assert_accessible(page)
            page.locator("button", has_text=re.compile("^Why")).first.click()
            expect(page.locator(".parts li").first).to_be_visible()
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    told = [(one["id"], one["help"], [node["html"][:150] for node in one["nodes"]][:3]) for one in found]
    assert told == [], json.dumps(told, indent=1)


@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844), (768, 1024), (1280, 800), (3840, 2160)])
def test_nothing_is_cut_at_any_width(shared, new_page, width, height):
    page = new_page(shared, viewport={"width": width, "height": height})
    expect(page.locator(".tile").first).to_be_visible()
    shoot(page, f"width-{width}-beginning")
    begin(page)
    for view in ("#swipe", "#list", "#find", "#history", "#me"):
        page.evaluate("(view) => { location.hash = view; }", view)
        expect(page.locator("#view > *").first).to_be_visible()
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), view
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, nav a, summary, input, select")]
                .filter((one) => one.checkVisibility() && !one.closest("dialog"))
                .map((one) => [one.innerText || one.name, one.getBoundingClientRect()])
                .filter(([, box]) => box.width < 24 || box.height < 24 || box.right > innerWidth + 1)
                .map(([name]) => name)"""
        )
        assert small == [], view
        shoot(page, f"width-{width}-{view[1:]}")
    page.goto(f"{shared.address}/docs")
    expect(page.locator("details").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_calm_where_motion_is_unwanted_and_moving_elsewhere(shared, new_page):
    for wish, expected in (("reduce", 0), ("no-preference", 1)):
        page = new_page(shared, reduced_motion=wish)
        begin(page)
        settled(page)
        page.wait_for_timeout(500)
        page.evaluate("document.querySelector('.card').dispatchEvent(new Event('x'))")
        page.keyboard.press("ArrowRight")
        running = page.evaluate("document.getAnimations().length")
        assert (running > 0) == bool(expected)


def test_the_page_is_light(shared):
    names = re.findall(r"page/([\w.]+)", shared.client.get("/").text)
    size = sum(len(shared.client.get(f"/page/{name}").content) for name in set(names))
    assert size < 100_000
    answer = shared.client.get("/page/app.js")
    again = shared.client.get("/page/app.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
