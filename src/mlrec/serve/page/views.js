// The views beside the deck: beginning, my list, finding a film, history, and who I am.

import { api } from "./api.js";
import { ANSWERS, answerOfPreference, whyBody } from "./deck.js";
import { button, closeDialog, count, el, glide, named, number, openDialog, say, sign } from "./dom.js";
import { poster } from "./poster.js";

export function problem(error, again, words = "Try again") {
  return el("div", { class: "problem", role: "alert" }, el("p", {}, error.message), error.hint ? el("p", { class: "quiet" }, error.hint) : null,
    again ? button(words, again) : null);
}

export async function showWhy(app, movie) {
  openDialog(`Why ${named(movie)}?`, el("p", { class: "quiet" }, "Loading…"));
  try {
    openDialog(`Why ${named(movie)}?`, ...whyBody(await api.why(app.user, movie.movie_id)));
  } catch (error) {
    openDialog(`Why ${named(movie)}?`, problem(error));
  }
}

async function showSimilar(app, movie) {
  openDialog(`Films like ${named(movie)}`, el("p", { class: "quiet" }, "Loading…"));
  try {
    const found = await api.similar(movie.movie_id, 8);
    openDialog(`Films like ${named(movie)}`, el("ul", { class: "rows" }, found.map((one) => row(app, one, "similar", { inDialog: true }))));
  } catch (error) {
    openDialog(`Films like ${named(movie)}`, problem(error));
  }
}

/** A film as a row with what can be done about it. `source` says where its answers come from. */
function row(app, movie, source, { inDialog = false, note = null } = {}) {
  const said = el("p", { class: "quiet" }, note ?? "");
  const judge = (name) => button([sign(name), ` ${ANSWERS[name].words}`], () => {
    app.answer(movie, name, source);
    said.textContent = `${ANSWERS[name].past} ${named(movie)}.`;
  }, { class: `small ${name}`, "aria-label": `${ANSWERS[name].words} ${named(movie)}` });
  return el("li", { class: "row", "data-key": String(movie.movie_id) },
    el("div", { class: "thumb" }, poster(movie, app.posterUrl)),
    el("div", { class: "row-facts" },
      el("h3", {}, named(movie)),
      el("p", { class: "quiet" }, movie.genres.join(", ") || "No genres"),
      said,
      el("div", { class: "row-buttons" }, judge("like"), judge("dislike"),
        inDialog ? null : button("Why?", () => showWhy(app, movie), { class: "small plain", "aria-label": `Why ${named(movie)}?` }),
        inDialog ? null : button("Similar", () => showSimilar(app, movie), { class: "small plain", "aria-label": `Films like ${named(movie)}` }))));
}

// -- the beginning -----------------------------------------------------------------------------------------------------

export async function beginning(app) {
  const liked = new Map();
  const go = button("", () => {
    go.disabled = true; // a second click would store every like again
    for (const movie of liked.values()) app.answer(movie, "like", "visitor");
    app.begin();
  }, { class: "main" });
  const tell = () => { go.textContent = liked.size ? `Start with ${count(liked.size, "film")} you like` : "Skip this step"; };
  const grid = el("ul", { class: "grid", "aria-label": "Films to choose from" });
  const tile = (movie) => {
    const pressed = () => liked.has(movie.movie_id);
    const toggle = el("button", { type: "button", class: "tile", "aria-pressed": String(pressed()), onclick: () => {
      if (!liked.delete(movie.movie_id)) liked.set(movie.movie_id, movie);
      toggle.setAttribute("aria-pressed", String(pressed()));
      tell();
    } }, poster(movie, app.posterUrl), sign("like"), el("span", { class: "tile-title" }, named(movie)));
    return el("li", { "data-key": String(movie.movie_id) }, toggle);
  };
  const starters = await api.starters(24);
  grid.append(...starters.map(tile));
  tell();
  const add = (movie) => {
    if (!liked.has(movie.movie_id)) liked.set(movie.movie_id, movie);
    [...grid.children].find((child) => child.dataset.key === String(movie.movie_id))?.remove();
    glide(grid, () => grid.prepend(tile(movie)));
    tell();
    say(`${named(movie)} is among the films you like.`);
  };
  return [
    el("div", { class: "lead" }, el("h2", {}, "Which of these do you like?"),
      el("p", {}, "Three to five are enough to start. Leave out films that you have not seen."),
      searchForm("Or search for a film that you like", async (title) => {
        const found = await api.search(title, 6);
        return found.map((movie) => el("li", {}, button(`＋ ${named(movie)}`, () => add(movie), { class: "small" })));
      })),
    grid,
    el("div", { class: "bottom" }, go),
  ];
}

/** A field that searches while one types. `look` returns the results as elements. */
function searchForm(words, look) {
  const results = el("ul", { class: "results", "aria-label": "Found" });
  const told = el("p", { class: "quiet", role: "status" });
  let latest = 0;
  let timer = null;
  const search = async () => {
    const title = input.value.trim();
    const mine = ++latest;
    if (!title) { results.replaceChildren(); told.textContent = ""; return; }
    try {
      const found = await look(title);
      if (mine !== latest) return;
      results.replaceChildren(...found);
      told.textContent = found.length ? `${count(found.length, "film")} found` : "No films found.";
    } catch (error) {
      if (mine === latest) told.textContent = error.message;
    }
  };
  const input = el("input", { type: "search", autocomplete: "off", maxlength: "200", oninput: () => { clearTimeout(timer); timer = setTimeout(search, 180); } });
  return el("form", { role: "search", class: "search", onsubmit: (event) => { event.preventDefault(); search(); } },
    el("label", {}, words, input), told, results);
}

// -- my list -----------------------------------------------------------------------------------------------------------

export async function myList(app) {
  const rows = el("ol", { class: "rows" });
  const fill = async () => {
    try {
      const movies = await api.list(app.user, { n: 30, ...app.filters });
      glide(rows, () => rows.replaceChildren(...movies.map((movie) => row(app, movie, movie.source, { note: listNote(movie) }))));
      if (!movies.length) rows.replaceChildren(el("li", {}, "No films match. Remove a filter."));
    } catch (error) {
      rows.replaceChildren(el("li", {}, problem(error, fill)));
    }
  };
  app.onLearned = fill;
  const filters = await filterPanel(app, fill);
  await fill();
  return [el("h2", {}, "The best films for you now"), filters, rows];
}

function listNote(movie) {
  const how = movie.source === "personal" ? `Score ${movie.score.toFixed(2)}` : "Popular";
  const origin = { "folded-in": " · few ratings", content: " · no ratings yet, placed by genre and year" }[movie.origin] ?? "";
  return how + origin;
}

/** Filters of the deck and of the list: which genres, which not, which years, how varied. */
export async function filterPanel(app, changed) {
  const genres = await app.genres();
  const state = (name) => (app.filters.genre?.includes(name) ? "only" : app.filters.not_genre?.includes(name) ? "not" : "any");
  const set = (name, value) => {
    const without = (list) => (list ?? []).filter((one) => one !== name);
    app.filters.genre = value === "only" ? [...without(app.filters.genre), name] : without(app.filters.genre);
    app.filters.not_genre = value === "not" ? [...without(app.filters.not_genre), name] : without(app.filters.not_genre);
    apply();
  };
  const summary = el("summary", {});
  const apply = () => { app.keepFilters(); tell(); changed(); };
  const tell = () => {
    const { genre = [], not_genre = [], first_year, last_year, diversity } = app.filters;
    const parts = [genre.join(" or "), not_genre.length ? `not ${not_genre.join(", ")}` : "", first_year || last_year ? `${first_year || "…"}–${last_year || "…"}` : "",
      diversity > 0 ? "varied" : ""].filter(Boolean);
    summary.textContent = parts.length ? `Filters: ${parts.join(" · ")}` : "Filters";
  };
  const choice = (name) => el("label", { class: "genre" }, el("span", {}, name),
    el("select", { onchange: (event) => set(name, event.target.value) },
      [["any", "any"], ["only", "only"], ["not", "exclude"]].map(([value, words]) => el("option", { value, selected: state(name) === value }, words))));
  const year = (key, words) => el("label", {}, words, el("input", { type: "number", min: "1870", max: "2100", inputmode: "numeric", value: app.filters[key] ?? "",
    onchange: (event) => {
      const value = Number(event.target.value);
      app.filters[key] = event.target.value && event.target.checkValidity() ? value : null;
      if (app.filters.first_year && app.filters.last_year && app.filters.first_year > app.filters.last_year) {
        [app.filters.first_year, app.filters.last_year] = [app.filters.last_year, app.filters.first_year];
      }
      apply();
    } }));
  const clear = button("Clear", () => { app.filters = {}; app.keepFilters(); changed(); filterPanel(app, changed).then((panel) => { panel.open = true; details.replaceWith(panel); panel.querySelector("summary").focus(); }); }, { class: "small" });
  const details = el("details", { class: "filters" }, summary,
    el("fieldset", {}, el("legend", {}, "Genres"), el("div", { class: "genres" }, genres.map(({ name }) => choice(name)))),
    el("div", { class: "filter-line" }, year("first_year", "From year"), year("last_year", "To year"),
      el("label", {}, "Variety", el("input", { type: "range", min: "0", max: "0.9", step: "0.1", value: String(app.filters.diversity ?? 0),
        onchange: (event) => { app.filters.diversity = Number(event.target.value); apply(); } })), clear));
  tell();
  return details;
}

// -- finding, history, me ----------------------------------------------------------------------------------------------

export async function find(app) {
  return [el("h2", {}, "Find a film"),
    searchForm("Title, or a part of it", async (title) => (await api.search(title, 20)).map((movie) =>
      row(app, movie, "search", { note: movie.ratings === 0 ? "Nobody has rated it yet" : count(movie.ratings ?? movie.likes, movie.ratings === null ? "like" : "rating") })))];
}

export async function history(app) {
  const list = el("ol", { class: "rows", reversed: true });
  const fill = async () => {
    try {
      const events = (await api.history(app.user, 500)).reverse();
      const latest = events.find((event) => !event.undone);
      list.replaceChildren(...events.map((event) => past(app, event, event === latest)));
      if (!events.length) list.replaceChildren(el("li", {}, "Nothing yet. ", el("a", { href: "#swipe" }, "Swipe the first film.")));
    } catch (error) {
      list.replaceChildren(el("li", {}, problem(error, fill)));
    }
  };
  app.onLearned = fill;
  await fill();
  return [el("h2", {}, "Your answers"), list];
}

function past(app, event, isLatest) {
  const title = event.title ? named(event) : `Film ${event.movie_id}`;
  const level = answerOfPreference(event.preference);
  const when = new Date(event.at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const movie = { movie_id: event.movie_id, title: event.title ?? `Film ${event.movie_id}`, year: event.year, genres: [] };
  const change = (name) => button(ANSWERS[name].words, () => app.answer(movie, name, "other"), { class: "small plain", "aria-label": `${ANSWERS[name].words} ${title} instead` });
  return el("li", { class: `row ${event.undone ? "undone" : ""}`, "data-key": String(event.event_id) },
    el("div", { class: "row-facts" },
      el("h3", {}, sign(level), " ", event.undone ? el("s", {}, title) : title),
      el("p", { class: "quiet" }, `${ANSWERS[level].words} · ${when}${event.undone ? " · undone" : ""}`),
      event.undone ? null : el("div", { class: "row-buttons" },
        isLatest ? button("Undo", () => app.undo(), { class: "small", "aria-label": `Undo ${title}` }) : null,
        ["like", "dislike"].filter((name) => name !== level).map(change))));
}

export async function me(app) {
  const body = el("div", {});
  const fill = async () => {
    try {
      const [profile, model] = await Promise.all([api.profile(app.user), api.model()]);
      const genres = Object.entries(profile.liked_genres);
      body.replaceChildren(
        el("dl", { class: "facts-list" },
          el("dt", {}, "You are"), el("dd", {}, `user ${app.user}`),
          el("dt", {}, "Likes"), el("dd", {}, number(profile.likes)),
          el("dt", {}, "Dislikes"), el("dd", {}, number(profile.dislikes)),
          el("dt", {}, "Answers here"), el("dd", {}, `${number(profile.swipes)} (${number(profile.undone)} undone)`),
          el("dt", {}, "Ratings in the data"), el("dd", {}, number(profile.ratings)),
          el("dt", {}, "Genres you like"), el("dd", {}, genres.length ? genres.map(([name, n]) => `${name} (${n})`).join(", ") : "not known yet"),
          el("dt", {}, "Model"), el("dd", {}, `${model.model_id}: ${count(model.movies, "film")}`)));
    } catch (error) {
      body.replaceChildren(problem(error, fill));
    }
  };
  app.onLearned = fill;
  await fill();
  const other = el("input", { type: "text", required: true, maxlength: "200", autocomplete: "off" });
  return [el("h2", {}, "Me"), body,
    app.mayBeAnyone ? el("form", { class: "search", onsubmit: (event) => { event.preventDefault(); app.become(other.value.trim()); } },
      el("label", {}, "Swipe as another user", other), el("button", { type: "submit" }, "Change user")) : null,
    el("div", { class: "row-buttons spaced" }, button("Start over as a new user", () => app.beginAnew()),
      button("Forget me…", () => confirmForget(app), { class: "danger" }))];
}

function confirmForget(app) {
  openDialog("Forget me?", el("p", {}, "This deletes all your answers, and nothing of this user is ever stored again. It cannot be undone."),
    el("div", { class: "row-buttons" }, button("Forget me", async (event) => {
      event.target.disabled = true;
      try {
        await api.forget(app.user);
        closeDialog();
        await app.beginAnew();
        say("Your answers are deleted. You are a new user now.");
      } catch (error) {
        openDialog("Forget me?", problem(error));
      }
    }, { class: "danger" }), button("Keep my answers", closeDialog)));
}
