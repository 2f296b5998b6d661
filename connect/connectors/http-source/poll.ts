/** Asks a service again and again, from page to page by a cursor. */
import { call, describeAnswer, FormatError, HttpTrouble } from "../../formats/index.ts";
import type { Answer, AnswerExpression, HttpAnswer } from "../../formats/index.ts";
import type { PartialSourceRecord, SourceContext } from "../../index.ts";
import type { ReadBody } from "./webhook.ts";

export interface PollSettings {
  readonly topic: string;
  /** `{cursor}` stands for the cursor, in `body` as well. */
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Headers;
  readonly body: string | null;
  readonly cursor: AnswerExpression | null;
  readonly firstCursor: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 60_000;

export async function* poll(
  settings: PollSettings,
  readBody: ReadBody,
  context: SourceContext<unknown>,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { clock, signal, offsets } = context;
  const sourcePartition = { url: settings.url };
  let cursor = (await offsets.get(sourcePartition))?.["cursor"] ?? settings.firstCursor;
  while (!signal.aborted) {
    const answer = await ask(settings, String(cursor), context);
    if (answer === null) return;
    const next = nextCursor(settings, answer) ?? cursor;
    const values = readOrSay(settings, readBody, answer);
    if (values.length > 0) {
      yield values.map((value, i) => ({
        topic: settings.topic,
        value,
        sourcePartition,
        // A page is done with its last record; before, all of it comes again.
        sourceOffset: { cursor: i === values.length - 1 ? next : cursor },
      }));
    }
    const isMore = next !== cursor && values.length > 0;
    cursor = next;
    if (!isMore) await clock.sleep(settings.intervalMs, signal);
  }
}

/** Tries until there is an answer; null when the task ends. Throws where trying again is of no use. */
async function ask(
  settings: PollSettings,
  cursor: string,
  { clock, signal, log }: SourceContext<unknown>,
): Promise<HttpAnswer | null> {
  const url = settings.url.replaceAll("{cursor}", encodeURIComponent(cursor));
  const body = settings.body?.replaceAll("{cursor}", JSON.stringify(cursor).slice(1, -1)) ?? null;
  for (let pauseMs = PAUSE_MS_MIN;; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
    try {
      const answer = await call({ ...settings, url, body }, clock, signal);
      if (answer.status < 300) return answer;
      throw new Error(describeAnswer(url, answer));
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof HttpTrouble)) throw error;
      const waitMs = error.retryAfterMs ?? pauseMs;
      log.warn("no answer, it is tried again", { why: error.message, waitMs });
      await clock.sleep(waitMs, signal);
    }
  }
}

function nextCursor({ cursor, url }: PollSettings, answer: HttpAnswer): string | number | null {
  if (cursor === null) return null;
  const next = cursor(answerOf(answer));
  if (next === null || typeof next === "string" || typeof next === "number") return next;
  throw new Error(`${describeAnswer(url, answer)}: its cursor is no text and no number`);
}

function readOrSay({ url }: PollSettings, readBody: ReadBody, answer: HttpAnswer) {
  try {
    return readBody(answerOf(answer));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Error(`${describeAnswer(url, answer)}: ${error.message}`);
  }
}

function answerOf({ body, headers }: HttpAnswer): Answer {
  return { body, headers: [...headers] };
}
