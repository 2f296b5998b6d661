/**
 * Builds the pages of the admin server: one script, one style sheet and what else the browser needs,
 * named by their contents and compressed, packed into `dist/ui/pages.bundle`, which goes into the
 * binary (`admin/ui/server/bundle.ts` reads it).
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const ROOT = join(import.meta.dir, "..");
const SOURCE = join(ROOT, "admin/ui");

const built = await Bun.build({
  entrypoints: [join(SOURCE, "main.tsx")],
  target: "browser",
  minify: true,
  jsx: { runtime: "automatic", importSource: "preact", development: false },
  define: { "process.env.NODE_ENV": '"production"' },
  naming: "[name]-[hash].[ext]",
});

const files: Record<string, { type: string; gzip: string; brotli: string }> = {};

function add(path: string, type: string, text: string): void {
  const bytes = Buffer.from(text);
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  files[path] = {
    type,
    gzip: gzipSync(bytes, { level: 9 }).toString("base64"),
    brotli: brotli.toString("base64"),
  };
}

function named(extension: string, text: string): string {
  return `app-${Bun.hash(text).toString(36)}.${extension}`;
}

const outputs = new Map<string, string>();
for (const output of built.outputs) {
  outputs.set(output.path.split(".").at(-1) ?? "", await output.text());
}
const script = outputs.get("js") ?? "";
const style = outputs.get("css") ?? "";
const icon = readFileSync(join(SOURCE, "icon.svg"), "utf8");
const names = { script: named("js", script), style: named("css", style), icon: named("svg", icon) };
add(`assets/${names.script}`, "text/javascript; charset=utf-8", script);
add(`assets/${names.style}`, "text/css; charset=utf-8", style);
add(`assets/${names.icon}`, "image/svg+xml", icon);
add(
  "index.html",
  "text/html; charset=utf-8",
  readFileSync(join(SOURCE, "index.html"), "utf8").replace(
    /\{(script|style|icon)\}/g,
    (_all, name: string) =>
      `/ui/assets/${names[name === "script" ? name : name === "style" ? name : "icon"]}`,
  ),
);

mkdirSync(join(ROOT, "dist/ui"), { recursive: true });
writeFileSync(join(ROOT, "dist/ui/pages.bundle"), JSON.stringify({ files }));
