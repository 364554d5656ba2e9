"""Titles with their articles in front."""

from __future__ import annotations

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec.serving.spoken_titles import label, spoken

TABLE = [
    ("Matrix, The", "The Matrix"),
    ("Few Good Men, A", "A Few Good Men"),
    ("American in Paris, An", "An American in Paris"),
    ("Karate Kid, Part II, The", "The Karate Kid, Part II"),
    ("Naked Gun: From the Files of Police Squad!, The", "The Naked Gun: From the Files of Police Squad!"),
    ("Seven Samurai, The (Shichinin no samurai)", "The Seven Samurai (Shichinin no samurai)"),
    ("Postman, The (Postino, Il)", "The Postman (Il Postino)"),
    ("Boot, Das (Boat, The)", "Das Boot (The Boat)"),
    ("Misérables, Les", "Les Misérables"),
    ("Enfer, L'", "L'Enfer"),
    ("Star Maker, The (Uomo delle stelle, L')", "The Star Maker (L'Uomo delle stelle)"),
    ("Vitelloni, I (a.k.a. The Young and the Passionate)", "I Vitelloni (a.k.a. The Young and the Passionate)"),
    ("Macbeth (a.k.a. Tragedy of Macbeth, The)", "Macbeth (a.k.a. The Tragedy of Macbeth)"),
    ("Final Destination, The (Final Destination 4) (Final Destination in 3-D, The)",
     "The Final Destination (Final Destination 4) (The Final Destination in 3-D)"),
    ("Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il)",
     "The Good, the Bad and the Ugly (Il Buono, il brutto, il cattivo)"),
    ("Human Centipede II (Full Sequence), The", "The Human Centipede II (Full Sequence)"),
    ("Golem, The (Golem, wie er in die Welt kam, Der)", "The Golem (Der Golem, wie er in die Welt kam)"),
    ("Valachi Papers,The", "The Valachi Papers"),
]  # fmt: skip
AS_THEY_ARE = [
    "Heat", "", ",", ", The", "The", "Bye Bye, Love", "Truth or Consequences, N.M.", "Play It Again, Sam",
    "Lust, Caution (Se, jie)", "Patrik Age 1.5 (Patrik 1,5)", "Monsters, Inc.", "What's Up, Doc?", "I, Robot",
    "(500) Days of Summer", "Lock, Stock & Two Smoking Barrels", "Crouching Tiger, the",
]  # fmt: skip


@pytest.mark.parametrize(("raw", "said"), TABLE)
def test_articles_come_first(raw, said):
    assert spoken(raw) == said
    assert spoken(said) == said


@pytest.mark.parametrize("title", AS_THEY_ARE)
def test_other_titles_stay_as_they_are(title):
    assert spoken(title) == title


def test_what_people_type_need_not_have_a_capital():
    assert spoken("silence of the lambs, the", any_case=True) == "the silence of the lambs"


@given(st.text(st.sampled_from("ab ,()T'The"), max_size=40))
def test_a_title_keeps_its_letters(title):
    said = spoken(title)
    assert sorted(said.replace(" ", "").replace(",", "")) == sorted(title.replace(" ", "").replace(",", ""))


def test_no_title_of_the_demo_ends_in_an_article_any_more(demo_raw):
    """And no other title of it changes, but those that have an article behind a comma."""
    ends_in_an_article = re.compile(
        r",\s?(The|An?|L[aeo']|Les|El|L[ao]s|Il|I|D(?:as|ie|er|et|en|a|e)|En|Une?)(?= ?[()]|$)"
    )
    with (demo_raw / "movies.csv").open(newline="", encoding="utf-8") as file:
        titles = [re.sub(r" \(\d{4}\)$", "", row["title"].strip()) for row in csv.DictReader(file)]
    changed = {title: spoken(title) for title in titles if ends_in_an_article.search(title)}
    assert len(changed) > 1_850
    assert [said for said in changed.values() if ends_in_an_article.search(said)] == []
    assert [title for title in titles if title not in changed and spoken(title) != title] == []


def test_a_label_has_the_year_if_there_is_one():
    assert label("The Matrix", 1999) == "The Matrix (1999)"
    assert label("The Matrix", None) == "The Matrix"


@pytest.mark.parametrize("title", ["Die, Mommie, Die", "Girl, Interrupted", "Run, Lola, Run"])
def test_a_last_word_that_is_no_article_stays_where_it_is(title):
    assert spoken(title) == title
