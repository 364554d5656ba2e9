// Answers on their way to the service: in order, each with an id of its own, kept in the browser until they are
// acknowledged. An answer whose acknowledgement was lost is sent again; its id keeps it from counting twice.

import { api } from "./api.js";

const PAUSES = [1, 2, 4, 8, 15];

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export class Outbox {
  /**
   * @param user        the user whose answers they are
   * @param onDone      is told each acknowledged answer: (answer, reply)
   * @param onRefused   is told each answer that the service does not take: (answer, error)
   * @param onState     is told how many wait, and whether the service can be reached: (waiting, isReachable)
   */
  constructor(user, { onDone, onRefused, onState }) {
    Object.assign(this, { user, onDone, onRefused, onState });
    this.place = `mlrec-outbox-${user}`;
    this.isReachable = true;
    this.isSending = false;
    this.failures = 0;
    this.unkept = null; // where the browser keeps nothing
    this.timer = null;
    this.closing = new AbortController();
    const { signal } = this.closing;
    // Any answer of the service shows that it can be reached, unless it still owes acknowledgements.
    const back = () => { if (!this.waiting.length) this.reached(true); };
    addEventListener("reached", back, { signal });
    addEventListener("online", () => { back(); this.send(); }, { signal });
    addEventListener("offline", () => this.reached(false), { signal });
    this.tell();
  }

  /** Send nothing more, and tell nobody. What waits stays kept until the same user is here again. */
  close() {
    this.closing.abort();
    clearTimeout(this.timer);
    this.onDone = this.onRefused = this.onState = () => {};
  }

  get waiting() {
    if (this.unkept) return this.unkept;
    try {
      return JSON.parse(localStorage.getItem(this.place) ?? "[]");
    } catch {
      return [];
    }
  }

  keep(answers) {
    try {
      localStorage.setItem(this.place, JSON.stringify(answers));
      this.unkept = null;
    } catch {
      this.unkept = answers;
    }
    this.tell();
  }

  /** Note whether the service can be reached, and tell it if that has changed. */
  reached(isReachable) {
    if (this.isReachable === isReachable) return;
    this.isReachable = isReachable;
    this.tell();
  }

  tell() {
    this.onState(this.waiting.length, this.isReachable);
  }

  add(answer) {
    const added = { ...answer, event_id: newId() };
    this.keep([...this.waiting, added]);
    this.send();
    return added;
  }

  /**
   * Take the latest answer back if it was never sent; otherwise send an undo: it may be stored although no
   * acknowledgement came. Returns what was taken back.
   */
  undo() {
    const waiting = this.waiting;
    const last = waiting.at(-1);
    if (last && last.kind === "swipe" && !last.isTried) {
      this.keep(waiting.slice(0, -1));
      return last;
    }
    this.add({ kind: "undo" });
    return null;
  }

  async send() {
    if (this.isSending) return;
    this.isSending = true;
    clearTimeout(this.timer);
    try {
      // Two tabs of one person send in turn, where the browser can see to it.
      if (navigator.locks) await navigator.locks.request(this.place, () => this.sendAll());
      else await this.sendAll();
    } finally {
      this.isSending = false;
    }
  }

  async sendAll() {
    for (let answer = this.waiting[0]; answer && !this.closing.signal.aborted; answer = this.waiting[0]) {
      this.keep(this.waiting.map((one) => (one.event_id === answer.event_id ? { ...one, isTried: true } : one)));
      try {
        const { kind, event_id, movie_id, swipe, source } = answer;
        const reply = kind === "undo"
          ? await api.undo(this.user, event_id)
          : await api.swipe(this.user, { movie_id, swipe, source, event_id });
        this.failures = 0;
        this.isReachable = true;
        this.drop(answer);
        this.onDone(answer, reply);
      } catch (error) {
        if (!error.mayPass) {
          this.isReachable = true;
          const [, next] = this.waiting;
          this.drop(answer);
          if (answer.kind === "swipe" && next?.kind === "undo") this.drop(next); // there is nothing of it to undo
          this.onRefused(answer, error);
          continue;
        }
        if (this.closing.signal.aborted) return;
        this.reached(false);
        const pause = Math.max(error.retryAfter ?? 0, PAUSES[Math.min(this.failures, PAUSES.length - 1)]);
        this.failures += 1;
        this.timer = setTimeout(() => this.send(), pause * 1000);
        return;
      }
    }
  }

  drop(answer) {
    this.keep(this.waiting.filter((one) => one.event_id !== answer.event_id));
  }
}
