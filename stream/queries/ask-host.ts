/** Requests to other members of the application. */
import type { Clock } from "../../core/io.ts";
import { QueryError } from "./query-error.ts";

/** As `fetch`. */
export type AskHttp = (url: string, init: RequestInit) => Promise<Response>;

/** What another member says. */
export interface HostAnswer {
  readonly status: number;
  readonly body: string;
}

/** For which tasks another member is asked: it answers of its own, and asks nobody else. */
export const TASKS_HEADER = "x-kstream-tasks";

const ANSWER_MS = 5000;
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

/** How members are asked: all of an application alike. */
export interface HostAccess {
  /** What they ask for; null: nothing. */
  readonly token: string | null;
  readonly isTls: boolean;
}

/** See the head of the file. */
export class HostLink {
  constructor(
    private readonly clock: Clock,
    private readonly http: AskHttp,
    private readonly access: HostAccess,
  ) {}

  /** Throws `QueryError` 503 if it cannot be reached in time. */
  async ask(endpoint: string, path: string, tasks: readonly string[]): Promise<HostAnswer> {
    const enough = new AbortController();
    const timer = this.clock.setTimer(
      ANSWER_MS,
      () => enough.abort(new Error("no answer in time")),
    );
    const { token, isTls } = this.access;
    try {
      const response = await this.http(`${isTls ? "https" : "http"}://${endpoint}${path}`, {
        redirect: "manual",
        signal: enough.signal,
        headers: {
          [TASKS_HEADER]: tasks.join(","),
          ...(token !== null && { authorization: `Bearer ${token}` }),
        },
      });
      return { status: response.status, body: await bodyOf(response) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new QueryError(503, `member ${endpoint} cannot be asked: ${why}`);
    } finally {
      timer.cancel();
    }
  }
}

async function bodyOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error("its answer is too long");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
