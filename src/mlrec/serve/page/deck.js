// The card on top of the deck: it follows the finger and the mouse, and flies off in the direction of the answer.

import { button, count, el, isCalm, named, number, sign } from "./dom.js";
import { poster } from "./poster.js";

export const ANSWERS = {
  superdislike: { preference: -2, words: "Superdislike", key: "↓", keys: ["ArrowDown", "x"], x: 0, y: 1, past: "Superdisliked" },
  dislike: { preference: -1, words: "Dislike", key: "←", keys: ["ArrowLeft", "d"], x: -1, y: 0, past: "Disliked" },
  unseen: { words: "Not seen", key: "N", keys: ["n"], x: 0, y: 0, past: "Not seen:" },
  skip: { preference: 0, words: "Seen, no opinion", key: "Space", keys: [" ", "Spacebar"], x: 0, y: 0, past: "Seen, without an opinion:" },
  like: { preference: 1, words: "Like", key: "→", keys: ["ArrowRight", "l"], x: 1, y: 0, past: "Liked" },
  superlike: { preference: 2, words: "Superlike", key: "↑", keys: ["ArrowUp", "s"], x: 0, y: -1, past: "Superliked" },
};

/** The name of an answer that the service knows by a number; "not seen" has none. */
export const answerOfPreference = (preference) => Object.keys(ANSWERS).find((name) => ANSWERS[name].preference === preference);

const FAR = 90; // pixels from which a drag is an answer

export function match({ standing, movie }) {
  if (movie.source !== "personal") return movie.source === "genre" ? "Popular in these genres" : "Popular with everybody";
  const percent = Math.ceil((100 * standing.rank) / standing.of);
  return `Your match: in the top ${percent}% of ${number(standing.of)} films`;
}

/** The card of a film, with `answer(name)` and `why()` to call. */
export function drawCard(card, template, { answer, why }) {
  const { movie, because } = card;
  const picture = el("div", { class: "picture" }, poster(movie, template), el("p", { class: "stamp", "aria-hidden": "true" }));
  const reasons = because.length
    ? el("p", { class: "because" }, "Because you liked ", el("b", {}, because.slice(0, 2).map(named).join(" and ")))
    : el("p", { class: "because" }, movie.taste === 0 ? "The more you answer, the better it gets." : "");
  const drawn = el("article", { class: "card", "aria-labelledby": "card-title" },
    picture,
    el("div", { class: "facts" },
      el("h2", { id: "card-title", tabindex: "-1" }, named(movie)),
      el("ul", { class: "chips", "aria-label": "Genres" }, movie.genres.map((genre) => el("li", {}, genre))),
      el("p", { class: "match" }, match(card)),
      reasons,
      button("Why this film?", why, { class: "plain", "aria-keyshortcuts": "w" })));
  follow(drawn, answer);
  return drawn;
}

/** The buttons below the card. */
export function answerButtons(answer) {
  return el("div", { class: "answers", role: "group", "aria-label": "Your answer" },
    Object.entries(ANSWERS).map(([name, { words, key, keys }]) =>
      el("button", { type: "button", class: `answer ${name}`, onclick: () => answer(name), "aria-keyshortcuts": keys[0] === " " ? "Space" : keys[0] },
        sign(name), el("span", { class: "words" }, words), el("kbd", { "aria-hidden": "true" }, key))));
}

function answerOf(x, y) {
  if (Math.abs(x) >= Math.abs(y)) return Math.abs(x) < FAR ? null : x > 0 ? "like" : "dislike";
  return Math.abs(y) < FAR ? null : y < 0 ? "superlike" : "superdislike";
}

function follow(card, answer) {
  const stamp = card.querySelector(".stamp");
  let start = null;
  const at = (event) => [event.clientX - start.x, event.clientY - start.y];
  card.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || card.classList.contains("gone") || event.target.closest("button")) return;
    start = { x: event.clientX, y: event.clientY };
    card.setPointerCapture(event.pointerId);
    card.classList.add("held");
  });
  card.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x, y] = at(event);
    card.style.transform = `translate(${x}px, ${y}px) rotate(${x / 22}deg)`;
    const name = answerOf(x, y);
    stamp.textContent = name ? ANSWERS[name].words : "";
    stamp.className = `stamp ${name ?? ""}`;
  });
  const end = (event, isOver) => {
    if (!start) return;
    const name = isOver ? answerOf(...at(event)) : null;
    start = null;
    card.classList.remove("held");
    if (name) { answer(name); return; }
    stamp.className = "stamp";
    if (!isCalm()) card.animate([{ transform: card.style.transform }, { transform: "none" }], { duration: 220, easing: "cubic-bezier(.2,1.6,.5,1)" });
    card.style.transform = "";
  };
  card.addEventListener("pointerup", (event) => end(event, true));
  card.addEventListener("pointercancel", (event) => end(event, false));
  card.addEventListener("dragstart", (event) => event.preventDefault());
}

/** Let an answered card fly off, and remove it. */
export function flyOff(card, name) {
  card.classList.add("gone");
  card.setAttribute("aria-hidden", "true");
  card.removeAttribute("aria-labelledby");
  for (const one of card.querySelectorAll("button, [tabindex]")) one.setAttribute("tabindex", "-1");
  card.querySelector("#card-title")?.removeAttribute("id");
  if (isCalm()) { card.remove(); return; }
  const { x, y } = ANSWERS[name];
  const from = card.style.transform || "none";
  const to = x || y ? `translate(${x * 120}vw, ${y * 110}vh) rotate(${x * 28}deg)` : "scale(.86)";
  card.animate([{ transform: from, opacity: 1 }, { transform: to, opacity: x || y ? 1 : 0 }], { duration: x || y ? 320 : 180, easing: "ease-in", fill: "forwards" })
    .finished.then(() => card.remove(), () => card.remove());
}

export function whyBody(explanation) {
  const { likes, dislikes, popularity, score } = explanation;
  const parts = likes.filter((one) => Math.abs(one.value) >= 0.0005);
  const shown = parts.slice(0, 12);
  const rest = parts.slice(12).reduce((sum, one) => sum + one.value, 0);
  const most = Math.max(popularity, Math.abs(rest), ...shown.map((one) => Math.abs(one.value)), 1e-9);
  const row = (words, value) => el("li", { class: value < 0 ? "less" : "more" },
    el("span", { class: "part" }, words), bar(Math.abs(value) / most), el("span", { class: "value" }, signed(value)));
  const list = el("ol", { class: "parts" }, shown.map((one) => row(named(one), one.value)),
    rest ? row(count(parts.length - 12, "other film"), rest) : null,
    popularity ? row("Popular with everybody", popularity) : null);
  const told = [el("p", {}, `Score: ${score.toFixed(3)}. Near 1, the film matches your taste very well; near 0, it does not. The score is the sum of:`), list];
  if (dislikes.length) {
    told.push(el("h3", {}, "What your dislikes have changed"), el("p", {}, "The numbers above already include these changes."),
      el("ol", { class: "parts" }, dislikes.slice(0, 6).map((one) => row(named(one), one.value))));
  }
  return told;
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

function bar(share) {
  const meter = el("span", { class: "bar", "aria-hidden": "true" }, el("span", {}));
  meter.firstChild.style.width = `${Math.max(1, 100 * share)}%`;
  return meter;
}
