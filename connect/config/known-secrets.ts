/**
 * What references were resolved to, so that no message, trace or log line says it: a connector's errors
 * quote what they were about, and whoever may write a config could read the worker's environment so.
 */
import type { LogFields, Logger } from "../../core/logger.ts";
import { ConfigError } from "./parse.ts";
import type { ConfigProblem } from "./parse.ts";
import type { SecretSources } from "./secrets.ts";

/** Shorter values are no secrets, and stand in every text. */
const CHARS_MIN = 4;
/** The latest are remembered. */
const VALUES_MAX = 10_000;

/** See the head of the file. */
export class KnownSecrets implements SecretSources {
  /** Forms of values, with the references that stand for them. */
  readonly #references = new Map<string, string>();

  constructor(private readonly sources: SecretSources) {}

  env(name: string): string | undefined {
    return this.sources.env(name);
  }

  readFile(path: string): string {
    return this.sources.readFile(path);
  }

  resolved(value: string, reference: string): void {
    if (value.length < CHARS_MIN) return;
    const forms = [value, value.trim(), JSON.stringify(value).slice(1, -1), uriForm(value)];
    for (const form of forms) {
      this.#references.delete(form);
      this.#references.set(form, reference);
    }
    while (this.#references.size > VALUES_MAX) {
      this.#references.delete(this.#references.keys().next().value!);
    }
  }

  /** The text with references in place of what they stand for. */
  hidden(text: string): string {
    let hidden = text;
    const found = [...this.#references].filter(([form]) => text.includes(form));
    // The longest first: one value may be part of another.
    for (const [form, reference] of found.sort(([a], [b]) => b.length - a.length)) {
      hidden = hidden.replaceAll(form, () => reference);
    }
    return hidden;
  }

  hiddenProblems(problems: readonly ConfigProblem[]): ConfigProblem[] {
    return problems.map((problem) => ({ ...problem, message: this.hidden(problem.message) }));
  }

  /** An error that says the same without secrets. */
  hiddenError(error: unknown): Error {
    if (error instanceof ConfigError) return new ConfigError(this.hiddenProblems(error.problems));
    if (!(error instanceof Error)) return new Error(this.hidden(String(error)));
    const said = new Error(this.hidden(error.message));
    said.stack = this.hidden(error.stack ?? error.message);
    return said;
  }

  /** A logger whose lines have no secrets in them. */
  logger(inner: Logger): Logger {
    const fieldsOf = (fields: LogFields | undefined): LogFields | undefined =>
      fields === undefined ? undefined : Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [
          name,
          typeof value === "string" ? this.hidden(value) : value,
        ]),
      );
    return {
      debug: (message, fields) => inner.debug(this.hidden(message), fieldsOf(fields)),
      info: (message, fields) => inner.info(this.hidden(message), fieldsOf(fields)),
      warn: (message, fields) => inner.warn(this.hidden(message), fieldsOf(fields)),
      error: (message, fields) => inner.error(this.hidden(message), fieldsOf(fields)),
      with: (fields) => this.logger(inner.with(fields)),
    };
  }
}

function uriForm(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text;
  }
}
