// The API for people, drawn from the OpenAPI document that the service gives.

import { request } from "./api.js";
import { el } from "./dom.js";

function resolved(schema, document) {
  const name = schema?.$ref?.split("/").at(-1);
  return name ? { ...document.components.schemas[name], name } : schema ?? {};
}

function kindOf(schema, document) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return [...new Set(schema.anyOf.map((one) => kindOf(one, document)))].join(" | ");
  if (schema.type === "array") return `list of ${kindOf(schema.items, document) || "values"}`;
  const range = [["minimum", "≥"], ["maximum", "≤"], ["maxLength", "at most", "characters"], ["maxItems", "at most", "entries"]]
    .filter(([name]) => schema[name] !== undefined && Math.abs(schema[name]) < 1e15).map(([name, sign, unit]) => `${sign} ${schema[name]}${unit ? ` ${unit}` : ""}`);
  return [schema.type ?? "value", ...range].join(", ");
}

function example(schema, document, depth = 0) {
  const found = resolved(schema, document);
  if (found.examples?.length) return found.examples[0];
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum.at(-1);
  if (found.anyOf) return example(found.anyOf[0], document, depth);
  if (found.type === "array") return depth > 3 ? [] : [example(found.items, document, depth + 1)];
  if (found.type === "object" || found.properties) {
    return Object.fromEntries(Object.entries(found.properties ?? {}).map(([name, one]) => [name, example(one, document, depth + 1)]));
  }
  return { integer: 1, number: 0.5, boolean: true, string: "…" }[found.type] ?? null;
}

function table(caption, heads, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, el("table", {}, el("caption", { class: "for-readers" }, caption), el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell)))))));
}

function operation(path, method, told, document) {
  const body = told.requestBody?.content?.["application/json"]?.schema;
  const fields = body ? resolved(body, document) : null;
  const sent = fields ? Object.fromEntries(Object.entries(fields.properties).filter(([name]) => (fields.required ?? []).includes(name) || name === "event_id" || name === "likes")
    .map(([name, one]) => [name, example(one, document)])) : null;
  const filled = path.replace("{user_id}", "42").replace("{movie_id}", "318");
  const query = (told.parameters ?? []).filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=matrix`).join("&");
  const curl = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}'${new URL(`.${filled}`, location.href).href}${query ? `?${query}` : ""}'`,
    document.security ? "  -H 'Authorization: Bearer KEY'" : null,
    sent ? `  -H 'Content-Type: application/json' -d '${JSON.stringify(sent)}'` : null].filter(Boolean).join(" \\\n");
  const good = Object.entries(told.responses).find(([status]) => status.startsWith("2"));
  const reply = good?.[1].content?.["application/json"]?.schema;
  return el("details", { id: told.operationId },
    el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), el("code", {}, path)),
    el("div", { class: "body" },
      (told.description ?? "").split("\n\n").map((paragraph) => el("p", {}, paragraph)),
      told.parameters?.length ? table("Parameters", ["Parameter", "In", "Value", "Meaning"], told.parameters.map((one) =>
        [el("code", {}, one.name), one.in, kindOf(one.schema, document), one.description ?? one.schema.description ?? ""])) : null,
      fields ? table("Fields of the body", ["Field of the body", "Value", "Meaning"], Object.entries(fields.properties).map(([name, one]) =>
        [el("code", {}, name), kindOf(one, document), `${(fields.required ?? []).includes(name) ? "Needed. " : ""}${one.description ?? ""}`])) : null,
      el("pre", { tabindex: "0", role: "group", "aria-label": "Example" }, curl),
      reply ? el("p", {}, "Answers with ", el("code", {}, kindOf(reply, document)), ", for example:") : null,
      reply ? el("pre", { tabindex: "0", role: "group", "aria-label": "Answer" }, JSON.stringify(good[1].content["application/json"].example ?? example(reply, document), null, 1)) : null,
      el("p", { class: "quiet" }, `Problems: ${Object.entries(told.responses).filter(([status]) => status >= 400).map(([status, one]) => `${status} ${one.description}`).join(", ")}.`)));
}

async function start() {
  const main = document.querySelector("main");
  try {
    const document_ = await request("GET", "openapi.json");
    document.getElementById("intro").replaceChildren(...document_.info.description.trim().split("\n\n").map((paragraph) => el("p", {}, paragraph.replaceAll("`", ""))));
    for (const tag of document_.tags) {
      const found = Object.entries(document_.paths).flatMap(([path, methods]) => Object.entries(methods).filter(([, told]) => told.tags?.includes(tag.name))
        .map(([method, told]) => operation(path, method, told, document_)));
      if (found.length) main.append(el("section", { "aria-labelledby": `tag-${tag.name}` }, el("h2", { id: `tag-${tag.name}` }, tag.name), el("p", { class: "quiet" }, tag.description), ...found));
    }
  } catch (error) {
    main.append(el("p", { role: "alert" }, error.message));
  }
}

start();
