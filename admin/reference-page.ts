/**
 * The reference of the API as one page of HTML, from its OpenAPI document: no script, nothing that is
 * loaded from elsewhere.
 */
import type { openApiDocument } from "./openapi.ts";

type Document = ReturnType<typeof openApiDocument>;
type PathItem = NonNullable<Document["paths"]>[string];
type Operation = NonNullable<PathItem["get"]>;

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d4d4d8, #3f3f46); --soft: light-dark(#52525b, #a1a1aa); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
pre, code { font: 0.9em ui-monospace, monospace; }
pre { overflow: auto; padding: 0.5rem; border: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: 4px; margin: 0.4rem 0; padding: 0.3rem 0.6rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.5rem; text-transform: uppercase; }
summary span, td, .about { color: var(--soft); }
table { border-collapse: collapse; } td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
`;

/** The page. */
export function referencePage(document: Document): string {
  const { info, paths = {}, components } = document;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ path, method, operation }];
    })
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "other");
  const tags = [...byTag].map(([tag, list]) =>
    `<section><h2 id="${escape(tag)}">${escape(tag)}</h2>` +
    list.map(({ path, method, operation }) => operationHtml(path, method, operation)).join("") +
    "</section>"
  ).join("");
  const schemas = Object.entries(components?.schemas ?? {}).map(([name, schema]) =>
    `<details id="schema-${escape(name)}"><summary><code>${escape(name)}</code></summary>` +
    `${jsonHtml(schema)}</details>`
  ).join("");
  const about = escape(info.description ?? "").split("\n\n").map((text) => `<p>${text}</p>`)
    .join("").replaceAll("\n- ", "<br>- ").replaceAll(/`([^`]*)`/g, "<code>$1</code>");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>kstream API</title>` +
    `<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body><main>` +
    `<h1>kstream ${escape(info.version)} API</h1><div class="about">${about}</div>` +
    `<p><a href="/openapi.json">openapi.json</a></p>${tags}` +
    `<section><h2>Schemas</h2>${schemas}</section></main></body></html>\n`;
}

function operationHtml(path: string, method: string, operation: Operation): string {
  const { operationId = "", summary = "", description = "", parameters = [] } = operation;
  const rows = parameters.map((parameter) => {
    if ("$ref" in parameter) return "";
    const { name, in: place, required = false, description: what = "" } = parameter;
    return `<tr><td><code>${escape(name)}</code></td><td>${escape(place)}` +
      `${required ? ", required" : ""}</td><td>${escape(what)}</td></tr>`;
  }).join("");
  const { requestBody, responses = {} } = operation;
  const bodyHtml = requestBody === undefined || "$ref" in requestBody
    ? ""
    : `<p>Body</p>${contentHtml(requestBody.content)}`;
  const answers = Object.entries(responses).map(([status, response]) =>
    `<p>${escape(status)}: ${escape(String(response.description))}</p>` +
    contentHtml(response.content ?? {})
  ).join("");
  return `<details id="${escape(operationId)}"><summary><b>${method}</b> ` +
    `<code>${escape(path)}</code> <span>${escape(summary)}</span></summary>` +
    `${description === "" ? "" : `<p>${escape(description)}</p>`}` +
    `${rows === "" ? "" : `<table>${rows}</table>`}${bodyHtml}${answers}</details>`;
}

function contentHtml(content: Readonly<Record<string, { readonly schema?: unknown }>>): string {
  return Object.entries(content).map(([type, { schema }]) => {
    const ref = typeof schema === "object" && schema !== null && "$ref" in schema
      ? String(schema.$ref).split("/").at(-1) ?? ""
      : null;
    const shown = ref === null
      ? jsonHtml(schema)
      : `<p><a href="#schema-${escape(ref)}">${escape(ref)}</a></p>`;
    return `<code>${escape(type)}</code>${shown}`;
  }).join("");
}

function jsonHtml(schema: unknown): string {
  return `<pre tabindex="0">${escape(JSON.stringify(schema, null, 2) ?? "")}</pre>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
