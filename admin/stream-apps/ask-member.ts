/** Asks members of applications what all members do: one path, nothing that was redirected, in bounds. */
import type { Clock } from "../../core/io.ts";
import type { LiveApplication } from "../../core/streams/live-application.ts";
import { liveApplicationSchema } from "../../core/streams/schemas.ts";
import type { AllowedHost } from "./host-rules.ts";

/** As `fetch`. */
export type AskHttp = (url: string, init: RequestInit) => Promise<Response>;

/** What came of asking one. */
export type MemberAnswer =
  | { readonly live: LiveApplication }
  | { readonly why: "no answer" | "token" | "starting" | "something else" };

/** A member itself waits so long for the others, and then tells who is missing. */
const ANSWER_MS = 7000;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const UNDER_WAY_MAX = 16;

/** See the head of the file. */
export class MemberAsker {
  /** By origin: who asks meanwhile is told the same. */
  readonly #underWay = new Map<string, Promise<MemberAnswer>>();

  /** `token`: for hosts that an operator has named; null: there is none. */
  constructor(
    private readonly clock: Clock,
    private readonly http: AskHttp,
    private readonly token: string | null,
  ) {}

  /** Never rejects. What is told of another application than `name` is something else. */
  async ask(host: AllowedHost, name: string): Promise<MemberAnswer> {
    const answer = await this.#shared(host);
    return "live" in answer && answer.live.application !== name
      ? { why: "something else" }
      : answer;
  }

  #shared(host: AllowedHost): Promise<MemberAnswer> {
    const known = this.#underWay.get(host.origin);
    if (known !== undefined) return known;
    if (this.#underWay.size >= UNDER_WAY_MAX) return Promise.resolve({ why: "no answer" });
    const asked = this.#once(host).finally(() => this.#underWay.delete(host.origin));
    this.#underWay.set(host.origin, asked);
    return asked;
  }

  async #once({ origin, isNamed }: AllowedHost): Promise<MemberAnswer> {
    const late = new AbortController();
    const timer = this.clock.setTimer(ANSWER_MS, () => late.abort(new Error("no answer in time")));
    try {
      const response = await this.http(`${origin}/topology`, {
        redirect: "manual",
        signal: late.signal,
        headers: isNamed && this.token !== null ? { authorization: `Bearer ${this.token}` } : {},
      });
      if (response.status === 401) return { why: "token" };
      if (response.status === 503) return { why: "starting" };
      if (response.status !== 200) return { why: "something else" };
      const parsed = liveApplicationSchema.safeParse(jsonIn(await bodyOf(response)));
      return parsed.success ? { live: parsed.data } : { why: "something else" };
    } catch {
      return { why: "no answer" };
    } finally {
      timer.cancel();
      late.abort();
    }
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) return "";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
