// Small helpers for elements, words and motion.

/** Make an element: `el("button", { class: "x", onclick: f }, "text", child)`. A null child is left out. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function button(words, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, ...[words].flat());
}

const SIGNS = {
  superdislike: "M6 5l6 6 6-6M6 12l6 6 6-6",
  dislike: "M10 15v4a3 3 0 0 0 3 3l4-9V2H6.500a2 2 0 0 0-2 1.700l-1.400 9A2 2 0 0 0 5.100 15zM17 2h3v11h-3",
  unseen: "M6 3h12v18l-6-5-6 5z",
  skip: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  like: "M14 9V5a3 3 0 0 0-3-3l-4 9v11h10.500a2 2 0 0 0 2-1.700l1.400-9A2 2 0 0 0 18.900 9zM7 22H4V11h3",
  superlike: "M6 12l6-6 6 6M6 19l6-6 6 6",
};

/** The drawing of an answer, which is decoration: its name stands beside it. */
export function sign(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawn = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "sign", "aria-hidden": "true", focusable: "false" })) drawn.setAttribute(key, value);
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", SIGNS[name]);
  drawn.append(line);
  return drawn;
}

/** Say something to people who use a screen reader, after what is being said. */
export function say(words) {
  const said = document.getElementById("said");
  said.textContent = "";
  requestAnimationFrame(() => { said.textContent = words; });
}

export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const named = (movie) => (movie.year ? `${movie.title} (${movie.year})` : movie.title);

export const number = (value) => value.toLocaleString("en");

export function count(n, singular) {
  return `${number(n)} ${singular}${n === 1 ? "" : "s"}`;
}

const dialog = () => document.getElementById("dialog");

/** Open the one dialog of the page. Focus returns to where it was when it closes. */
export function openDialog(title, ...body) {
  document.getElementById("dialog-title").textContent = title;
  document.getElementById("dialog-body").replaceChildren(...body);
  if (!dialog().open) dialog().showModal();
}

export const closeDialog = () => dialog().close();
export const isDialogOpen = () => dialog().open;

/** Let the children of a list glide from where they were to where they are: first, last, invert, play. */
export function glide(list, change) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child.getBoundingClientRect().top]));
  change();
  if (isCalm()) return;
  for (const child of list.children) {
    const top = before.get(child.dataset.key);
    const moved = top === undefined ? null : top - child.getBoundingClientRect().top;
    if (moved === null) {
      child.animate([{ opacity: 0, transform: "translateX(1.5rem)" }, { opacity: 1, transform: "none" }], { duration: 350, easing: "ease-out" });
    } else if (moved) {
      child.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: 350, easing: "ease-out" });
    }
  }
}
