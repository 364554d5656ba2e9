// A poster drawn from what is known of a film: the decade gives the composition, the genre the colours and the motif,
// the title everything that is left to chance. The same film always gets the same poster.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300, HEIGHT = 450;

// Ground, far, near, light, ink.
const PALETTES = {
  "Action": ["#2b0f0e", "#8f1d14", "#e4572e", "#ffc857", "#fff3e0"],
  "Adventure": ["#0f2d2e", "#1f6f5c", "#e09f3e", "#ffe8a3", "#fffbf0"],
  "Animation": ["#28235c", "#5b5bd6", "#ff7aa2", "#ffd166", "#ffffff"],
  "Children": ["#0b3c5d", "#328cc1", "#f6b93b", "#ffe9b0", "#ffffff"],
  "Comedy": ["#ffd23f", "#ff8c42", "#ee4266", "#fff6d6", "#2a1a1f"],
  "Crime": ["#14151a", "#3b3f4a", "#b3261e", "#e8d9b5", "#f7f2e7"],
  "Documentary": ["#e9e4d8", "#b9c4bd", "#406e6b", "#24413f", "#16211f"],
  "Drama": ["#231a2e", "#56385e", "#c06c84", "#f8b195", "#fff1ea"],
  "Fantasy": ["#1b1446", "#4b2f8f", "#a06cd5", "#f3d1ff", "#fffaff"],
  "Film-Noir": ["#0b0b0c", "#2b2b2e", "#77777c", "#e9e9ea", "#ffffff"],
  "Horror": ["#0a0d0b", "#1d2b22", "#7a1f1f", "#c9d6c3", "#f1f5ee"],
  "IMAX": ["#04142b", "#0e3a6d", "#2f8de4", "#bfe3ff", "#ffffff"],
  "Musical": ["#3a0f3d", "#8e2a8b", "#ff5d8f", "#ffe066", "#fff8fb"],
  "Mystery": ["#0d1b2a", "#1b3a4b", "#4d7c8a", "#cbdfbd", "#f4fff0"],
  "Romance": ["#4a1033", "#a23b72", "#f18f9a", "#ffe0d6", "#fffaf8"],
  "Sci-Fi": ["#050a1f", "#15307a", "#00a6c7", "#a8fff0", "#f4ffff"],
  "Thriller": ["#101820", "#28414f", "#f2542d", "#f5dfbb", "#fffaf0"],
  "War": ["#23261a", "#50583a", "#9a7b4f", "#e3d5b0", "#fbf6e6"],
  "Western": ["#4a1d0f", "#a4501f", "#e09f4f", "#ffe2ae", "#fff8ea"],
};

/** A generator of numbers from 0 to 1 that a text decides (mulberry32 on FNV-1a). */
function chance(text) {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ character.codePointAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const circle = (cx, cy, r, fill, more = {}) => shape("circle", { cx, cy, r, fill, ...more });
const box = (x, y, width, height, fill, more = {}) => shape("rect", { x, y, width, height, fill, ...more });
const path = (d, fill, more = {}) => shape("path", { d, fill, ...more });
const line = (d, stroke, width, more = {}) => shape("path", { d, fill: "none", stroke, "stroke-width": width, ...more });

function rays(cx, cy, n, radius, fill, opacity) {
  const parts = [];
  for (let i = 0; i < n; i += 1) {
    const [from, to] = [(2 * i * Math.PI) / n, ((2 * i + 1) * Math.PI) / n];
    parts.push(`M${cx} ${cy}L${cx + radius * Math.cos(from)} ${cy + radius * Math.sin(from)}L${cx + radius * Math.cos(to)} ${cy + radius * Math.sin(to)}Z`);
  }
  return path(parts.join(""), fill, { opacity });
}

// Each composition fills the ground behind the motif.
const COMPOSITIONS = {
  deco(colours, random) { // until 1939: rays and stepped frames
    const [, far, near, light] = colours;
    return [rays(150, 330, 14 + Math.floor(random() * 10), 520, far, 0.8),
      ...[0, 1, 2].map((i) => line(`M${16 + i * 9} ${450}V${60 - i * 12 + 30}L150 ${14 + i * 12}L${284 - i * 9} ${60 - i * 12 + 30}V450`, i === 1 ? light : near, 2.5, { opacity: 0.7 }))];
  },
  blinds(colours, random) { // the forties: light through blinds
    const [, far, , light] = colours;
    const lean = 40 + random() * 80;
    return [box(0, 0, WIDTH, HEIGHT, far, { opacity: 0.5 }),
      ...Array.from({ length: 9 }, (_, i) => path(`M${-20} ${i * 42}L320 ${i * 42 - lean}V${i * 42 - lean + 16}L-20 ${i * 42 + 16}Z`, light, { opacity: 0.10 + 0.02 * i }))];
  },
  cutout(colours, random) { // the fifties: paper cut with scissors
    const [, far, near] = colours;
    const edge = () => Math.round(random() * 60);
    return [path(`M0 ${60 + edge()}L${200 + edge()} ${edge()}L300 ${150 + edge()}V${330 + edge()}L${120 + edge()} 450H0Z`, far),
      path(`M${30 + edge()} ${150 + edge()}L${210 + edge()} ${110 + edge()}L${240 + edge()} ${300 + edge()}L${60 + edge()} ${330 + edge()}Z`, near, { opacity: 0.85 })];
  },
  rings(colours, random) { // the sixties: op art
    const [, far, near] = colours;
    const [x, y] = [90 + random() * 120, 120 + random() * 120];
    return Array.from({ length: 11 }, (_, i) => circle(x + i * 3, y + i * 4, 290 - i * 25, i % 2 ? far : near, { opacity: i % 2 ? 1 : 0.35 }));
  },
  stripes(colours, random) { // the seventies: bands round a corner
    const [, far, near, light] = colours;
    const from = 40 + random() * 60;
    return [far, near, light, near, far].map((colour, i) =>
      line(`M-20 ${from + i * 26 + 150}H${120 - i * 10}Q${210 - i * 5} ${from + i * 26 + 150} ${215 + i * 24} ${from + i * 26 + 40}V-20`, colour, 22, { opacity: 0.9 }));
  },
  horizon(colours, random) { // the eighties: a sun over a grid
    const [, far, near, light] = colours;
    const y = 255 + random() * 30;
    const slots = Array.from({ length: 5 }, (_, i) => box(40, y - 20 - i * 22, 220, 4 + (4 - i) * 1.6, colours[0]));
    const grid = Array.from({ length: 13 }, (_, i) => `M150 ${y}L${-450 + i * 100} 450`).join("")
      + Array.from({ length: 7 }, (_, i) => `M0 ${y + (i * i) * 4.6}H300`).join("");
    return [box(0, 0, WIDTH, y, far), circle(150, y - 30, 95, near), ...slots, box(0, y, WIDTH, HEIGHT - y, colours[0]), line(grid, light, 1.2, { opacity: 0.55 })];
  },
  halftone(colours, random) { // the nineties: dots and a blur of light
    const [, far, near] = colours;
    const lean = random() * 2 - 1;
    const dots = [];
    for (let row = 0; row < 19; row += 1) {
      for (let column = 0; column < 13; column += 1) {
        const size = Math.max(0, 9.5 - Math.abs(row - 7 + lean * (column - 6)) * 0.85);
        if (size > 0.6) dots.push(`M${column * 25 - size} ${row * 25}a${size} ${size} 0 1 0 ${2 * size} 0a${size} ${size} 0 1 0 ${-2 * size} 0`);
      }
    }
    return [circle(60 + random() * 180, 140, 210, far), path(dots.join(""), near, { opacity: 0.55 })];
  },
  layers(colours, random) { // since 2000: land in layers
    const [, far, near, light] = colours;
    const ridge = (base, height) => {
      const points = Array.from({ length: 6 }, (_, i) => `${i * 60} ${base - random() * height}`);
      return `M0 450V${base}L${points.join("L")}V450Z`;
    };
    return [box(0, 0, WIDTH, HEIGHT, far), circle(70 + random() * 160, 110 + random() * 60, 52, light, { opacity: 0.9 }),
      path(ridge(290, 90), near, { opacity: 0.55 }), path(ridge(340, 80), near), path(ridge(385, 60), colours[0])];
  },
};

function composition(year) {
  if (!year || year >= 2000) return "layers";
  if (year < 1940) return "deco";
  return { 4: "blinds", 5: "cutout", 6: "rings", 7: "stripes", 8: "horizon", 9: "halftone" }[Math.floor(year / 10) % 10];
}

const MOTIF = {
  "Western": ([ground, , near, light]) => [circle(150, 235, 62, light), path("M0 330H40V285Q40 270 55 270H95Q110 270 110 285V318H180V262Q180 246 196 246H240Q256 246 256 262V318H300V450H0Z", ground), path("M70 330V292q0-9 8-9t8 9v20h8v-12q0-7 7-7t7 7v22q0 7-8 7H86v12Z", near)],
  "Film-Noir": ([ground, , , light]) => [circle(150, 190, 84, light, { opacity: 0.9 }), path("M66 214Q150 176 234 214L222 226Q150 196 78 226ZM106 196Q110 138 150 136T194 196Q150 182 106 196ZM112 224Q150 208 188 224Q190 262 168 282Q210 292 222 340H78Q90 292 132 282Q110 262 112 224Z", ground)],
  "Horror": ([ground, , near, light]) => [path("M40 215Q150 105 260 215Q150 325 40 215Z", light), circle(150, 215, 46, near), circle(150, 215, 19, ground), path("M150 261q-7 34 0 58q7-24 0-58ZM120 251q-5 20 0 36q5-16 0-36ZM182 251q-6 26 0 46q6-20 0-46Z", near)],
  "War": ([ground, , near, light]) => [path("M150 120L173 186H243L187 228L208 296L150 255L92 296L113 228L57 186H127Z", light), box(30, 322, 240, 12, near), box(30, 344, 240, 12, ground)],
  "Sci-Fi": ([, far, near, light], random) => [circle(150, 205, 72, near), path("M86 172A72 72 0 0 1 220 188Q150 214 86 172Z", light, { opacity: 0.45 }), shape("ellipse", { cx: 150, cy: 208, rx: 128, ry: 24, fill: "none", stroke: light, "stroke-width": 7, transform: `rotate(${-28 + random() * 20} 150 208)` }), circle(48, 92, 9, far), ...Array.from({ length: 22 }, () => circle(random() * 300, random() * 330, 0.8 + random() * 1.7, light))],
  "Musical": ([, , near, light]) => [...[0, 1, 2, 3].map((i) => line(`M-10 ${170 + i * 30}C80 ${90 + i * 30} 190 ${280 + i * 26} 310 ${150 + i * 30}`, light, 3)), path("M112 262a24 18-20 1 0 20 12V158L210 138V236a24 18-20 1 0 12 12V112L120 138V262Z", near)],
  "Animation": ([ground, , near, light]) => [circle(150, 215, 82, near), circle(92, 140, 38, near), circle(208, 140, 38, near), circle(122, 200, 21, light), circle(178, 200, 21, light), circle(127, 204, 9, ground), circle(173, 204, 9, ground), path("M112 246Q150 288 188 246Q150 262 112 246Z", ground)],
  "Children": ([, , near, light]) => [line("M112 210Q130 300 150 352M188 182Q176 280 150 352M150 140V352", light, 2), circle(112, 168, 46, near), circle(190, 144, 46, light), circle(150, 108, 40, near, { opacity: 0.85 })],
  "Fantasy": ([ground, , near, light]) => [path("M75 340V210L90 190L105 210V250H125V170L150 128L175 170V250H195V210L210 190L225 210V340Z", ground), path("M142 200h16v26h-16ZM86 224h8v16h-8ZM206 224h8v16h-8ZM138 340v-34q12-18 24 0v34Z", light), path("M226 80L232 98L250 104L232 110L226 128L220 110L202 104L220 98Z", light), circle(70, 110, 26, near)],
  "Romance": ([, , near, light]) => [circle(118, 205, 70, near, { opacity: 0.92 }), circle(184, 205, 70, light, { opacity: 0.82 }), path("M151 252C108 218 118 176 151 198C184 176 194 218 151 252Z", near)],
  "Mystery": ([ground, , near, light]) => [box(92, 112, 116, 232, near), path("M92 112H208L268 344H32Z", light, { opacity: 0.22 }), box(106, 126, 88, 218, ground), circle(150, 216, 15, light), path("M144 224h12l7 38h-26Z", light)],
  "Crime": ([ground, , near, light]) => [circle(150, 215, 96, light), ...[84, 70, 56, 42, 28, 15].map((r, i) => line(`M${150 - r} ${215 + (i % 2 ? 30 : 44)}V215a${r} ${r * 1.05} 0 0 1 ${2 * r} 0V${215 + (i % 2 ? 52 : 34)}`, i === 2 ? near : ground, 6, { "stroke-linecap": "round" }))],
  "Documentary": ([, far, near, light]) => [circle(150, 212, 88, light), circle(150, 212, 68, near), circle(150, 212, 42, light), circle(150, 212, 24, near), circle(128, 188, 12, far)],
  "Adventure": ([ground, far, near, light]) => [path("M20 330L110 160L150 226L196 130L282 330Z", near), path("M110 160L134 200L116 206L104 192L90 198ZM196 130L224 194L204 188L192 202L176 172Z", light), path("M60 350Q150 300 240 350L220 366H80Z", ground), circle(236, 96, 24, far)],
  "Comedy": ([, , near, light, ink]) => [circle(150, 212, 92, light), path("M92 226Q150 318 208 226Q150 246 92 226Z", near), line("M98 182q14-20 28 0M174 182q14-20 28 0", ink, 9, { "stroke-linecap": "round" })],
  "Action": ([ground, , near, light], random) => [path("M150 92L178 172L252 132L206 204L284 232L202 246L226 330L160 272L108 340L116 262L28 268L100 216L46 150L126 178Z", light), path("M150 142L168 192L214 172L186 216L230 234L182 242L194 290L156 256L124 296L130 250L82 250L122 218L92 178L138 196Z", near), line(`M${20 + random() * 40} 380L280 ${70 + random() * 40}`, ground, 9)],
  "Thriller": ([, , near, light]) => [line(Array.from({ length: 160 }, (_, i) => `${i ? "L" : "M"}${(150 + i * 0.62 * Math.cos(i / 5.5)).toFixed(1)} ${(212 + i * 0.62 * Math.sin(i / 5.5)).toFixed(1)}`).join(""), light, 8, { "stroke-linecap": "round" }), path("M150 196q9 0 9 9t-9 9t-9-9t9-9ZM138 218h24l6 46h-12l-2 36h-8l-2-36h-12Z", near)],
  "IMAX": ([ground, , near, light]) => [box(30, 130, 240, 165, ground), path("M30 295L120 190L178 250L214 214L270 295Z", near), circle(214, 170, 20, light), line("M30 130H270V295H30Z", light, 5)],
  "Drama": ([ground, , near, light]) => [path("M60 350Q62 236 122 214Q96 192 104 154Q114 112 156 116Q194 120 198 158Q200 172 208 188L198 194Q200 222 176 220L170 236Q212 252 222 350Z", ground), path("M198 350Q250 330 240 250Q232 196 250 150Q282 220 270 350Z", near, { opacity: 0.9 }), circle(72, 120, 30, light, { opacity: 0.9 })],
};

/** Break a title into lines of letters that fill the width. */
function lines(title) {
  const words = title.split(/\s+/).filter(Boolean);
  const most = Math.max(9, Math.min(20, Math.ceil(Math.sqrt(title.length) * 2.6)));
  const found = [];
  for (const word of words) {
    const last = found.at(-1);
    if (last !== undefined && [...`${last} ${word}`].length <= most) found[found.length - 1] = `${last} ${word}`;
    else found.push(word);
  }
  return found.slice(0, 6);
}

/** Draw the poster of a film as an SVG element, which is decoration: the title stands beside it as text. */
export function drawPoster(movie) {
  const random = chance(`${movie.title}|${movie.year ?? ""}`);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const genres = (movie.genres ?? []).filter((genre) => MOTIF[genre]);
  const telling = genres.filter((genre) => genre !== "Drama" && genre !== "IMAX");
  const motif = pick(telling.length ? telling : genres.length ? genres : Object.keys(MOTIF));
  const colours = PALETTES[pick(telling.length ? telling : [motif])];
  const [ground, , , light, ink] = colours;
  const poster = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "poster", "aria-hidden": "true", focusable: "false", preserveAspectRatio: "xMidYMid slice" });
  poster.append(box(0, 0, WIDTH, HEIGHT, ground), ...COMPOSITIONS[composition(movie.year)](colours, random));
  const turned = shape("g", { transform: random() < 0.5 ? "translate(300 0) scale(-1 1)" : "" });
  turned.append(...MOTIF[motif](colours, random));
  poster.append(turned);

  const rows = lines(movie.title);
  const widest = Math.max(...rows.map((row) => [...row].length), 4);
  const size = Math.min(46, 470 / widest, 132 / rows.length);
  const isOld = (movie.year ?? 2000) < 1970;
  const bottom = 424;
  poster.append(path("M0 450V318Q150 296 300 318V450Z", ground, { opacity: 0.93 }));
  rows.forEach((row, i) => {
    const text = shape("text", {
      x: 150, y: bottom - 14 - (rows.length - 1 - i) * size * 1.02, fill: ink, "font-size": size.toFixed(1), "text-anchor": "middle",
      "font-family": isOld ? "Georgia, 'Times New Roman', serif" : "'Avenir Next', 'Helvetica Neue', 'Segoe UI', Roboto, sans-serif",
      "font-weight": isOld ? 700 : 800, "letter-spacing": isOld ? 0.5 : -0.3,
    });
    const drawn = isOld ? row : row.toUpperCase();
    // Capitals are wide: what is too long is pressed together rather than cut.
    if ([...drawn].length * size * (isOld ? 0.56 : 0.70) > 268) { text.setAttribute("textLength", 268); text.setAttribute("lengthAdjust", "spacingAndGlyphs"); }
    text.textContent = drawn;
    poster.append(text);
  });
  const small = shape("text", { x: 150, y: 438, fill: light, "font-size": 11, "text-anchor": "middle", "font-family": "'Helvetica Neue', 'Segoe UI', Roboto, sans-serif", "letter-spacing": 2.2 });
  small.textContent = [movie.year, genres.includes(motif) ? motif.toUpperCase() : ""].filter(Boolean).join("  ·  ");
  if (colours === PALETTES.Comedy || colours === PALETTES.Documentary) small.setAttribute("fill", ink);
  poster.append(small);
  return poster;
}

/** The poster of a film: from the address that the service was given, if there is one and it works; otherwise drawn. */
export function poster(movie, template) {
  const id = template?.includes("{tmdb_id}") ? movie.tmdb_id : movie.imdb_id;
  if (!template || !id) return drawPoster(movie);
  const image = document.createElement("img");
  image.className = "poster";
  image.alt = "";
  image.loading = "lazy";
  image.draggable = false;
  image.addEventListener("error", () => image.replaceWith(drawPoster(movie)), { once: true });
  image.src = template.replaceAll("{tmdb_id}", encodeURIComponent(movie.tmdb_id ?? "")).replaceAll("{imdb_id}", encodeURIComponent(movie.imdb_id ?? ""));
  return image;
}
