// Requests to the service. A path is relative, so that the page also works under a prefix of a proxy.

/** A request that the service refused, or that got no answer (status 0). */
export class Refused extends Error {
  constructor(status, message, hint = "", retryAfter = 0) {
    super(message);
    Object.assign(this, { status, hint, retryAfter });
  }

  /** Whether the same request may succeed later. */
  get mayPass() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

const PATIENCE = 15_000;

export async function request(method, path, { query = {}, body = null } = {}) {
  const address = new URL(path, new URL(".", location.href));
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") address.searchParams.append(name, one);
  }
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const response = await fetch(address, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      signal: stop.signal,
      headers: body === null ? {} : { "Content-Type": "application/json" },
      body: body === null ? null : JSON.stringify(body),
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) {
      dispatchEvent(new Event("reached"));
      return answer;
    }
    throw new Refused(response.status, answer.detail ?? "The service answered with an error.", answer.hint ?? "",
      Number(response.headers.get("Retry-After")) || 0);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(0, "The service cannot be reached.");
  } finally {
    clearTimeout(timer);
  }
}

const own = (user, path) => `v1/users/${encodeURIComponent(user)}${path}`;

export const api = {
  session: (user, isNew) => request("POST", "session", { query: { user, new: isNew ? "true" : null } }),
  profile: (user) => request("GET", own(user, "")),
  deck: (user, query) => request("GET", own(user, "/deck"), { query }),
  list: (user, query) => request("GET", own(user, "/recommendations"), { query }),
  why: (user, movie) => request("GET", own(user, `/why/${encodeURIComponent(movie)}`)),
  history: (user, n) => request("GET", own(user, "/swipes"), { query: { n } }),
  swipe: (user, body) => request("POST", own(user, "/swipes"), { body }),
  undo: (user, eventId) => request("DELETE", own(user, "/swipes/latest"), { query: { event_id: eventId } }),
  forget: (user) => request("DELETE", own(user, "")),
  starters: (n) => request("POST", "v1/visitors/recommendations", { body: { n } }),
  search: (title, n) => request("GET", "v1/movies", { query: { title, n } }),
  similar: (movie, n) => request("GET", `v1/movies/${encodeURIComponent(movie)}/similar`, { query: { n } }),
  genres: () => request("GET", "v1/genres"),
  model: () => request("GET", "v1/model"),
};
