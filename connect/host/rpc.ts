/**
 * Questions, answers and news between a worker and a host of its tasks, over anything that carries JSON
 * in order: `{ask, id, with}`, `{answer: id, value}` or `{answer: id, error}`, `{tell, with}`.
 */
import { type Deferred, deferred } from "../../core/deferred.ts";
import { ConfigError } from "../config/parse.ts";
import type { ConfigProblem } from "../config/parse.ts";
import { Said } from "./said.ts";

/** Answers one kind of question, or hears one kind of news. What it throws goes back. */
export type Handler = (said: unknown) => unknown;

/** Questions of the other side that are under way at once; more are refused. */
const UNDER_WAY_MAX = 1000;

/** See the head of the file. */
export class Rpc {
  readonly #asked = new Map<number, Deferred<unknown>>();
  #lastId = 0;
  #underWay = 0;
  #ended: Error | null = null;

  constructor(
    private readonly send: (message: unknown) => void,
    private readonly handlers: ReadonlyMap<string, Handler>,
  ) {}

  /** Rejects with what the other side throws, or with what it has ended by. */
  ask(what: string, said: unknown): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const answer = deferred<unknown>();
    this.#asked.set(id, answer);
    this.send({ ask: what, id, with: said });
    return answer.promise;
  }

  tell(what: string, said: unknown): void {
    if (this.#ended === null) this.send({ tell: what, with: said });
  }

  /** Nothing comes any more. */
  end(error: Error): void {
    this.#ended = error;
    for (const answer of this.#asked.values()) answer.reject(error);
    this.#asked.clear();
  }

  /** A message of the other side. Throws `UnreadableError`. */
  take(message: unknown): void {
    const said = new Said(message);
    if (said.has("answer")) return this.#answered(said);
    if (said.has("tell")) {
      this.handlers.get(said.text("tell"))?.(said.any("with"));
      return;
    }
    void this.#asks(said.number("id"), said.text("ask"), said.any("with"));
  }

  #answered(said: Said): void {
    const id = said.number("answer");
    const answer = this.#asked.get(id);
    this.#asked.delete(id);
    if (said.has("error")) answer?.reject(errorOf(said.inner("error")));
    else answer?.resolve(said.any("value"));
  }

  async #asks(id: number, what: string, said: unknown): Promise<void> {
    const handler = this.handlers.get(what);
    this.#underWay++;
    try {
      if (handler === undefined) throw new Error(`nobody answers "${what}"`);
      if (this.#underWay > UNDER_WAY_MAX) throw new Error("too much is asked at once");
      const value = await handler(said);
      this.send({ answer: id, value: value ?? null });
    } catch (error) {
      this.send({ answer: id, error: errorMessage(error) });
    } finally {
      this.#underWay--;
    }
  }
}

/** An error as a message has it. */
function errorMessage(error: unknown) {
  if (error instanceof ConfigError) return { message: error.message, problems: error.problems };
  if (!(error instanceof Error)) return { message: String(error), stack: null };
  return { message: error.message, stack: error.stack ?? null };
}

function errorOf(said: Said): Error {
  if (said.has("problems")) return new ConfigError(said.list("problems").map(problemOf));
  const error = new Error(said.text("message"));
  error.stack = said.textOrNull("stack") ?? error.message;
  return error;
}

/** What is wrong with a field, as a message has it. Throws `UnreadableError`. */
export function problemOf(value: unknown): ConfigProblem {
  const said = new Said(value);
  return {
    field: said.text("field"),
    message: said.text("message"),
    ...(said.flag("isUnknown") && { isUnknown: true }),
    ...(said.flag("isPassing") && { isPassing: true }),
  };
}
