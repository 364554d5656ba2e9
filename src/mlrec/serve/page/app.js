// The page: who is here, which view is open, the deck, and the list beside it.

import { api } from "./api.js";
import { ANSWERS, answerButtons, answerOfPreference, drawCard, flyOff } from "./deck.js";
import { button, closeDialog, count, el, glide, isDialogOpen, named, openDialog, say } from "./dom.js";
import { Outbox } from "./outbox.js";
import { beginning, filterPanel, find, history, me, myList, problem, showWhy } from "./views.js";

const RESERVE = 8; // cards that the page holds, so that the next one is there at once
const LISTED = 8;
const view = document.getElementById("view");
const TITLES = { swipe: "Films to swipe", list: "My list", find: "Find a film", history: "History", me: "Me" };

const stored = (name, otherwise) => {
  try { return JSON.parse(sessionStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
};
const store = (name, value) => {
  try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* the browser keeps nothing */ }
};

class App {
  filters = stored("mlrec-filters", {});
  unseen = []; // films put aside as not seen, of this user, in this tab
  cards = [];
  answered = new Set(); // answered here, so never dealt again before the service knows
  onLearned = null;
  asked = 0;
  shown = null;
  knownGenres = null;
  isNew = false;

  async start() {
    addEventListener("hashchange", () => { if (this.user !== undefined) this.open(); });
    addEventListener("keydown", (event) => { if (this.user !== undefined) this.key(event); });
    document.getElementById("dialog-close").addEventListener("click", closeDialog);
    document.getElementById("dialog").addEventListener("click", (event) => { if (event.target.id === "dialog") closeDialog(); });
    await this.arrive(new URLSearchParams(location.search).get("user"));
  }

  /** Enter as the user of the address, or as the one of this browser. */
  async arrive(wanted) {
    try {
      await this.enter(wanted);
    } catch (error) {
      const isOver = wanted && !error.mayPass; // no such id, or not this person's: trying again changes nothing
      view.replaceChildren(isOver ? problem(error, () => this.comeBack(), "Continue as yourself") : problem(error, () => this.arrive(wanted)));
      return;
    }
    await this.open({ isFirst: true });
  }

  /** Leave the user of the address for the one of this browser. */
  async comeBack() {
    this.clearAddress();
    await this.arrive(null);
  }

  async enter(wanted, isNew = false) {
    const session = await api.session(wanted, isNew);
    if (session.is_forgotten && !wanted) return this.enter(null, true);
    Object.assign(this, { user: session.user_id, posterUrl: session.poster_url, mayBeAnyone: session.may_be_anyone });
    this.unseen = stored(`mlrec-unseen-${this.user}`, []);
    this.cards = [];
    this.answered = new Set();
    this.shown = null;
    this.outbox?.close();
    this.outbox = new Outbox(this.user, {
      onDone: (answer, reply) => this.learned(answer, reply),
      onRefused: (answer, error) => this.refused(answer, error),
      onState: (waiting, isReachable) => this.tellConnection(waiting, isReachable),
    });
    const profile = await api.profile(this.user);
    this.isNew = !profile.swipes && !profile.ratings && !this.outbox.waiting.length;
    this.outbox.send();
    return session;
  }

  become(user) {
    const address = new URL(location.href);
    address.search = `?user=${encodeURIComponent(user)}`;
    address.hash = "#swipe";
    location.href = address.href;
  }

  clearAddress() {
    const address = new URL(location.href);
    address.search = "";
    window.history.replaceState(null, "", address);
  }

  async beginAnew() {
    this.clearAddress();
    await this.enter(null, true);
    if (location.hash !== "#swipe") location.hash = "#swipe";
    else await this.open();
  }

  async begin() {
    this.isNew = false;
    await this.open();
  }

  async genres() {
    this.knownGenres ??= await api.genres();
    return this.knownGenres;
  }

  keepFilters() {
    store("mlrec-filters", this.filters);
    this.cards = [];
  }

  // -- views -----------------------------------------------------------------------------------------------------------

  async open({ isFirst = false } = {}) {
    const name = location.hash.slice(1) in TITLES ? location.hash.slice(1) : "swipe";
    const mine = (this.opening = Symbol(name));
    this.name = name;
    this.onLearned = null;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.getElementById("heading").textContent = TITLES[name];
    document.title = `${TITLES[name]} · mlrec`;
    try {
      const body = await { list: myList, find, history, me, swipe: (app) => (app.isNew ? beginning(app) : app.swiping()) }[name](this);
      if (mine !== this.opening) return;
      view.className = name === "swipe" && this.isNew ? "beginning" : name;
      view.replaceChildren(...body.filter(Boolean));
      if (name === "swipe" && !this.isNew) this.deal();
    } catch (error) {
      if (mine !== this.opening) return;
      view.replaceChildren(problem(error, () => this.open()));
    }
    if (!isFirst) document.getElementById("main").focus({ preventScroll: true });
  }

  // -- the deck --------------------------------------------------------------------------------------------------------

  async swiping() {
    this.shown = null;
    this.stack = el("div", { class: "stack" });
    this.beside = el("ol", { class: "top", "aria-label": "Your list now" });
    this.change = el("p", { class: "change quiet" });
    this.onLearned = () => this.refill();
    const panel = await filterPanel(this, () => this.again());
    this.refill();
    return [
      el("section", { class: "deck", "aria-label": "The card" }, this.stack, answerButtons((name) => this.answerCard(name)),
        el("div", { class: "under" }, button("↶ Undo", () => this.undo(), { class: "plain", "aria-keyshortcuts": "Backspace" }),
          button("? Keys", () => this.help(), { class: "plain", "aria-keyshortcuts": "?" })), panel),
      el("aside", { class: "beside", "aria-label": "Your list" }, el("h2", {}, "Your list now"), this.beside, this.change),
    ];
  }

  /** Ask for cards and for the list. Whoever asks last decides what is shown. */
  async refill() {
    const mine = ++this.asked;
    const put = [...this.answered, ...this.unseen].slice(-400);
    try {
      const [cards, list] = await Promise.all([
        api.deck(this.user, { n: RESERVE, exclude: put, ...this.filters }),
        api.list(this.user, { n: LISTED, ...this.filters }),
      ]);
      if (mine !== this.asked || this.name !== "swipe") return;
      this.cards = cards;
      this.deal();
      this.tellList(list);
    } catch (error) {
      if (mine !== this.asked || this.name !== "swipe") return;
      if (!this.shown) this.stack?.replaceChildren(problem(error, () => this.refill()));
      if (error.mayPass) setTimeout(() => { if (mine === this.asked && this.name === "swipe") this.refill(); }, 3000);
    }
  }

  /** Put the next card on the deck, unless one is there. */
  deal() {
    if (!this.stack || this.shown) return;
    const hidden = new Set([...this.answered, ...this.unseen].map(String));
    const next = this.cards.find((card) => !hidden.has(String(card.movie.movie_id)));
    if (!next) {
      if (this.cards.length || this.asked) {
        this.stack.querySelectorAll(".empty, .problem").forEach((one) => one.remove());
        this.stack.prepend(el("p", { class: "empty" }, this.outbox.isReachable && !this.outbox.waiting.length
          ? "No more films. Remove a filter, or see My list." : "More films will come when the service can be reached."));
      }
      return;
    }
    this.shown = next;
    const hadFocus = this.stack.contains(document.activeElement);
    const drawn = drawCard(next, this.posterUrl, { answer: (name) => { if (this.shown === next) this.answerCard(name); }, why: () => showWhy(this, next.movie) });
    this.stack.querySelectorAll(".empty, .problem").forEach((one) => one.remove());
    this.stack.prepend(drawn);
    if (hadFocus) drawn.querySelector("#card-title").focus();
  }

  answerCard(name) {
    const card = this.shown;
    if (!card) return;
    const drawn = this.stack.querySelector(".card:not(.gone)");
    const hadFocus = drawn.contains(document.activeElement);
    this.shown = null;
    this.answer(card.movie, name, card.movie.source, card);
    this.deal();
    if (hadFocus) this.stack.querySelector("#card-title ~ *, .card:not(.gone) h2")?.focus();
    flyOff(drawn, name);
    const next = this.shown ? ` Next: ${named(this.shown.movie)}.` : "";
    say(`${ANSWERS[name].past} ${named(card.movie)}.${next}`);
  }

  /** Take an answer to any film, from any view. */
  answer(movie, name, source, card = null) {
    if (name === "unseen") {
      this.unseen = [...this.unseen.filter((one) => one !== movie.movie_id), movie.movie_id].slice(-200);
      store(`mlrec-unseen-${this.user}`, this.unseen);
      this.lastUnseen = { movie, card };
      return;
    }
    this.lastUnseen = null;
    this.isNew = false;
    this.answered.add(movie.movie_id);
    this.outbox.add({ kind: "swipe", movie_id: movie.movie_id, swipe: name, source, title: named(movie) });
  }

  undo() {
    if (this.lastUnseen) { // putting a film aside is the latest thing done, and was never sent
      const { movie, card } = this.lastUnseen;
      this.lastUnseen = null;
      this.unseen = this.unseen.filter((one) => one !== movie.movie_id);
      store(`mlrec-unseen-${this.user}`, this.unseen);
      say(`${named(movie)} is back.`);
      this.again(card);
      return;
    }
    const taken = this.outbox.undo();
    if (taken) {
      this.answered.delete(taken.movie_id);
      say(`Undone: ${taken.title}.`);
      this.again();
    }
  }

  /** Deal anew: an answer was taken back, or a filter has changed. A card that is given comes first. */
  again(card = null) {
    if (this.name !== "swipe" || this.isNew) { this.onLearned?.(); return; }
    this.stack?.querySelectorAll(".card").forEach((card) => card.remove());
    this.shown = null;
    this.cards = card ? [card] : [];
    if (card) this.deal();
    this.refill();
  }

  learned(answer, reply) {
    if (answer.kind === "undo") {
      this.answered.delete(reply.state.movie_id);
      say(`Undone: ${ANSWERS[answerOfPreference(reply.state.preference)].words.toLowerCase()}.`);
      this.again();
      return;
    }
    if (!this.outbox.waiting.length) this.onLearned?.();
  }

  refused(answer, error) {
    if (answer.kind === "swipe") this.answered.delete(answer.movie_id);
    openDialog(answer.kind === "undo" ? "Nothing was undone" : `${answer.title} was not stored`, problem(error));
    this.onLearned?.();
  }

  // -- the list beside, and what is told ---------------------------------------------------------------------------------

  tellList(list) {
    const before = new Map([...this.beside.children].map((child, rank) => [child.dataset.key, { rank, title: child.dataset.title }]));
    const now = new Set(list.map((movie) => String(movie.movie_id)));
    const answered = new Set([...this.answered].map(String));
    const left = [...before].filter(([key]) => !now.has(key) && !answered.has(key)).map(([, { title }]) => title);
    const came = before.size ? list.filter((movie) => !before.has(String(movie.movie_id))).map(named) : [];
    glide(this.beside, () => this.beside.replaceChildren(...list.map((movie, rank) => {
      const was = before.get(String(movie.movie_id));
      const sign = !before.size ? "" : !was ? "new" : was.rank > rank ? "▲" : was.rank < rank ? "▼" : "";
      return el("li", { "data-key": String(movie.movie_id), "data-title": named(movie), class: sign === "new" ? "came" : "" },
        el("span", { class: "place-title" }, named(movie)),
        sign ? el("span", { class: "moved" }, el("span", { "aria-hidden": "true" }, sign), el("span", { class: "for-readers" }, { new: "new", "▲": "up", "▼": "down" }[sign])) : null);
    })));
    const some = (titles) => (titles.length > 3 ? `${titles.slice(0, 3).join(", ")} and ${titles.length - 3} more` : titles.join(", "));
    const words = [came.length ? `In: ${some(came)}.` : "", left.length ? `Out: ${some(left)}.` : ""].filter(Boolean).join(" ");
    this.change.textContent = words;
    if (words && before.size) say(`Your list: ${words}`);
  }

  tellConnection(waiting, isReachable) {
    const shown = document.getElementById("connection");
    shown.hidden = isReachable;
    if (!isReachable) shown.textContent = `The service cannot be reached. ${waiting ? `${count(waiting, "answer")} kept here. They will be sent when it is back.` : "Trying again."}`;
  }

  // -- keys ------------------------------------------------------------------------------------------------------------

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isDialogOpen()) return;
    if (event.target.closest("input, select, textarea, summary")) return;
    if (event.key === "?") { event.preventDefault(); this.help(); return; }
    if (event.key === "Backspace") { event.preventDefault(); if (!event.repeat) this.undo(); return; }
    if (this.name !== "swipe" || this.isNew) return;
    // Space presses the button or link that has the focus.
    if (event.key === " " && event.target.closest("button, a")) return;
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (pressed === "w" && this.shown) { event.preventDefault(); showWhy(this, this.shown.movie); return; }
    const name = Object.keys(ANSWERS).find((one) => ANSWERS[one].keys.includes(pressed));
    if (!name) return;
    event.preventDefault();
    if (!event.repeat) this.answerCard(name);
  }

  help() {
    openDialog("Keys", el("dl", { class: "facts-list" },
      Object.values(ANSWERS).map(({ key, words }) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)]),
      [["⌫", "Undo"], ["W", "Why this film?"], ["?", "This help"], ["Esc", "Close"]].map(([key, words]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)])),
      el("p", {}, "Or drag the card: right to like, left to dislike, up to superlike, down to superdislike. On a touch screen, drag the picture up or down: the text scrolls."));
  }
}

new App().start();
