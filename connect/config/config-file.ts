/**
 * Configs of connectors as people write them: YAML (JSON is YAML, too) or Java properties. Maps become
 * keys with dots, lists values with commas; a list of maps under `transforms` or `predicates` becomes
 * their names and their settings. Each key knows its line.
 */
import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import type { Document, Node, YAMLMap, YAMLSeq } from "yaml";
import type { ConfigProblem, RawConfig } from "./parse.ts";

/** One connector of a file. */
export interface ConfigDocument {
  readonly file: string;
  readonly config: RawConfig;
  /** Where it begins, from 1. */
  readonly line: number;
  /** Where each key stands. */
  readonly lines: ReadonlyMap<string, number>;
}

/** A file is none that has configs; `line` from 1. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";
  constructor(readonly file: string, readonly line: number, readonly why: string) {
    super(`${file}:${line}: ${why}`);
  }
}

/** Lists under these keys are parts with names of their own. */
const NAMED_PARTS: readonly string[] = ["transforms", "predicates"];
/** Configs nested deeper are refused. */
const DEPTH_MAX = 20;

/** The configs of a file; several YAML documents are several. Throws `ConfigFileError`. */
export function parseConfigFile(file: string, text: string): ConfigDocument[] {
  if (file.endsWith(".properties")) return [parseProperties(file, text)];
  const counter = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: counter,
    schema: "core",
    version: "1.2",
  });
  const list: readonly Document[] = Array.isArray(documents) ? documents : [];
  const configs = list.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const why = error.message.split("\n")[0] ?? "";
      throw new ConfigFileError(file, counter.linePos(error.pos[0]).line, why);
    }
    const root: unknown = document.contents;
    if (root === null) return [];
    return [new Flattener(file, counter).document(root)];
  });
  if (configs.length === 0) throw new ConfigFileError(file, 1, "there is no config in it");
  return configs;
}

class Flattener {
  readonly #config = new Map<string, string>();
  readonly #lines = new Map<string, number>();

  constructor(readonly file: string, readonly counter: LineCounter) {}

  document(root: unknown): ConfigDocument {
    if (!isMap(root)) this.#refuse(root, "a config is a map, as `name: orders-to-files`");
    this.#map(root, "", 0);
    this.#adopt("connector", "connector.class");
    const line = this.#lineOf(root);
    const config = Object.fromEntries(this.#config);
    return { file: this.file, config, line, lines: this.#lines };
  }

  /** A short name for a key that everybody needs. */
  #adopt(short: string, full: string): void {
    const value = this.#config.get(short);
    if (value === undefined || this.#config.has(full)) return;
    this.#config.delete(short);
    this.#set(full, value, this.#lines.get(short) ?? 1);
  }

  #map(map: YAMLMap, prefix: string, depth: number): void {
    if (depth > DEPTH_MAX) this.#refuse(map, "it is nested too deep");
    for (const { key, value } of map.items) {
      if (!isScalar(key)) this.#refuse(key, "a key has to be text");
      const name = `${prefix}${String(key.value)}`;
      this.#value(name, value, this.#lineOf(key), depth);
    }
  }

  #value(name: string, value: unknown, line: number, depth: number): void {
    if (isMap(value)) return this.#map(value, `${name}.`, depth + 1);
    if (isSeq(value)) return this.#list(name, value, line, depth);
    this.#set(name, this.#scalar(value, name), line);
  }

  #list(name: string, list: YAMLSeq, line: number, depth: number): void {
    if (!NAMED_PARTS.includes(name) || !list.items.every((item) => isMap(item))) {
      const parts = list.items.map((item) => this.#scalar(item, name));
      const bad = parts.find((part) => part.includes(","));
      if (bad !== undefined) this.#refuse(list, `"${bad}" has a comma, and commas part lists`);
      return this.#set(name, parts.join(","), line);
    }
    const names = list.items.map((item, at) => this.#part(name, item, at, depth));
    this.#set(name, names.join(","), line);
  }

  /** One of the transforms or predicates; its name. */
  #part(name: string, item: unknown, at: number, depth: number): string {
    if (!isMap(item)) this.#refuse(item, `"${name}" has to be a list of maps`);
    const given = item.get("name");
    const part = given === undefined ? `${name.slice(0, -1)}${at + 1}` : String(given);
    for (const { key, value } of item.items) {
      if (!isScalar(key)) this.#refuse(key, "a key has to be text");
      if (key.value === "name") continue;
      this.#value(`${name}.${part}.${String(key.value)}`, value, this.#lineOf(key), depth + 1);
    }
    return part;
  }

  #scalar(value: unknown, name: string): string {
    if (value === null) return "";
    if (!isScalar(value)) this.#refuse(value, `"${name}" has to be one value`);
    // As it was written: 007 and 1e3 are no numbers of ours yet.
    if (typeof value.value === "string") return value.value;
    if (value.value === null) return "";
    return value.source ?? String(value.value);
  }

  #set(name: string, value: string, line: number): void {
    if (this.#config.has(name)) {
      throw new ConfigFileError(this.file, line, `"${name}" stands twice`);
    }
    this.#config.set(name, value);
    this.#lines.set(name, line);
  }

  #lineOf(node: unknown): number {
    const range = typeof node === "object" && node !== null && "range" in node
      ? (node as Node).range
      : null;
    return range === null || range === undefined ? 1 : this.counter.linePos(range[0]).line;
  }

  #refuse(node: unknown, why: string): never {
    throw new ConfigFileError(this.file, this.#lineOf(node), why);
  }
}

/** As Java reads them, but for escapes of Unicode; a backslash at its end continues a line. */
function parseProperties(file: string, text: string): ConfigDocument {
  const config = new Map<string, string>();
  const lines = new Map<string, number>();
  const source = text.split(/\r?\n/);
  for (let at = 0; at < source.length; at++) {
    const line = at + 1;
    let entry = source[at]!.trimStart();
    while (/(^|[^\\])(\\\\)*\\$/.test(entry) && at + 1 < source.length) {
      entry = entry.slice(0, -1) + source[++at]!.trimStart();
    }
    if (entry === "" || entry.startsWith("#") || entry.startsWith("!")) continue;
    const match = /^((?:\\.|[^\\:=\s])+)\s*[:=]?\s*(.*)$/.exec(entry);
    if (match === null) throw new ConfigFileError(file, line, "it is no `key=value`");
    const key = unescape(match[1] ?? "");
    config.set(key, unescape(match[2] ?? ""));
    lines.set(key, line);
  }
  return { file, config: Object.fromEntries(config), line: 1, lines };
}

function unescape(text: string): string {
  const names: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };
  return text.replace(/\\(.)/g, (_all, char: string) => names[char] ?? char);
}

/** A problem as one line that editors jump to: `file:line: message`. */
export function formatProblem(document: ConfigDocument, { field, message }: ConfigProblem): string {
  return `${document.file}:${document.lines.get(field) ?? document.line}: ${message}`;
}
