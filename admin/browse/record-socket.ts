/**
 * A WebSocket of a topic, both ways, in JSON texts with one field that says what they are. From the
 * client:
 *
 *     {"produce": {"id": 1, "records": [{"key": "k", "value": "v"}]}}   envelopes, one after the other
 *     {"consume": {"from": "-1h", "follow": true, "where": "…", "credit": 100}}   as the query of GET
 *     {"credit": 100}     so many records more may be sent
 *     {"stop": true}      no more records
 *
 * To it:
 *
 *     {"acknowledged": {"id": 1, "records": [{"partition": 0, "offset": 7}]}}
 *     {"refused": {"id": 1, "detail": "…", "acknowledged": 0}}    not all of them are there
 *     {"record": {…}, "next": "0:42"}
 *     {"end": {"reason": "limit", "next": "0:42"}}
 *     {"error": {"detail": "…"}}
 */
import type { Clock } from "../../core/io.ts";
import type { WebSocketHandlers, WebSocketPeer } from "../../core/io/http.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { EnvelopeError, envelopeOf as readEnvelope } from "../../core/text/envelope.ts";
import { clientProblem } from "../client-problem.ts";
import type { LeasedProducer } from "../ingest/producer-pool.ts";
import { invalid, z } from "../openapi.ts";
import { type BrowseQuery, browseQuery } from "./browse-query.ts";
import { isObject } from "./json-object.ts";
import { BROWSE_LIMITS, type BrowsePermit } from "./limits.ts";
import { envelopeOf } from "./record-lines.ts";
import {
  type ConsumeMessage,
  consumeQuery,
  CREDIT_MAX,
  type ProduceMessage,
  RECORDS_MAX,
  SOCKET_MESSAGE,
} from "./socket-messages.ts";
import type { ScanPartition, TopicScan } from "./topic-scan.ts";
import type { FetchedChunk } from "../../client/consumer.ts";

/** What a socket stands on. */
export interface RecordSocketServices {
  readonly clock: Clock;
  readonly topic: string;
  readonly permit: BrowsePermit;
  readonly stopping: AbortSignal;
  openScan(query: BrowseQuery, signal: AbortSignal): Promise<TopicScan>;
  /** Throws a `Problem`. */
  lease(): LeasedProducer;
  release(leased: LeasedProducer, isGood: boolean): void;
  /** Hears of bugs. */
  failed(error: unknown): void;
}

/** Messages to produce that are not acknowledged; more are refused. */
export const PRODUCES_MAX = 256;
/** What waits to be sent; beyond it nothing is read. */
const PENDING_BYTES_MAX = 1024 * 1024;
const CREDIT_DEFAULT = 100;
const POLICY = 1008;
const GOING_AWAY = 1001;

/** See the head of the file. */
export class RecordSocket implements WebSocketHandlers {
  readonly #closed = new AbortController();
  #leased: LeasedProducer | null = null;
  #isGood = true;
  #produces = 0;
  #consuming: AbortController | null = null;
  #credit = 0;
  /** Tells the reader that there is credit, or room. */
  #wake: (() => void) | null = null;

  constructor(readonly socket: WebSocketPeer, readonly services: RecordSocketServices) {
    const stop = () => this.socket.close(GOING_AWAY, "the broker is stopping");
    services.stopping.addEventListener("abort", stop, { signal: this.#closed.signal });
  }

  onText(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#say({ error: { detail: "that is no JSON" } });
    }
    const said = SOCKET_MESSAGE.safeParse(message);
    if (!said.success) return this.#refuse(message);
    if ("produce" in said.data) this.#run(this.#produce(said.data.produce));
    else if ("consume" in said.data) this.#run(this.#consume(said.data.consume));
    else if ("credit" in said.data) this.#addCredit(said.data.credit);
    else this.#consuming?.abort();
  }

  /** What is no message; who sent one to produce waits for an answer with its id. */
  #refuse(message: unknown): void {
    const produce = isObject(message) ? message["produce"] : null;
    if (!isObject(produce)) {
      return this.#say({ error: { detail: "it is none of produce, consume, credit and stop" } });
    }
    const detail = `produce has an id, and records, which are a list of 1 to ${RECORDS_MAX}`;
    this.#say({ refused: { id: produce["id"] ?? null, detail, acknowledged: 0 } });
  }

  onDrain(): void {
    this.#wake?.();
  }

  onClose(): void {
    this.#closed.abort();
    this.#wake?.();
    this.services.permit.leave();
    if (this.#leased !== null && this.#produces === 0) this.#release();
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.services.failed(error));
  }

  #say(message: Readonly<Record<string, unknown>>): void {
    if (!this.#closed.signal.aborted) this.socket.send(JSON.stringify(message));
  }

  #addCredit(credit: number): void {
    this.#credit = Math.min(CREDIT_MAX, this.#credit + credit);
    this.#wake?.();
  }

  #release(): void {
    if (this.#leased !== null) this.services.release(this.#leased, this.#isGood);
    this.#leased = null;
  }

  async #produce({ id = null, records }: ProduceMessage): Promise<void> {
    const refuse = (detail: string, acknowledged = 0) =>
      this.#say({ refused: { id, detail, acknowledged } });
    if (this.#produces >= PRODUCES_MAX) {
      return refuse(`${PRODUCES_MAX} messages are not acknowledged yet: wait for them`);
    }
    this.#produces++;
    try {
      const { topic, clock } = this.services;
      const read = records.map(readEnvelope);
      const { producer } = this.#leased ??= this.services.lease();
      const sent = await Promise.allSettled(read.map((record) => {
        const { key, value, headers, partition } = record;
        const timestampMs = record.timestampMs ?? clock.wallMs();
        const where = partition === null ? {} : { partition };
        return producer.send({ topic, key, value, headers, timestampMs, ...where });
      }));
      const stored = sent.flatMap((each) =>
        each.status === "fulfilled"
          ? [{ partition: each.value.partition, offset: Number(each.value.offset) }]
          : []
      );
      const failure = sent.find((each) => each.status === "rejected");
      if (failure === undefined) return this.#say({ acknowledged: { id, records: stored } });
      this.#isGood = false;
      refuse(detailOf(failure.reason), stored.length);
    } catch (error) {
      refuse(error instanceof EnvelopeError ? `no envelope: ${error.message}` : detailOf(error));
    } finally {
      this.#produces--;
      if (this.#closed.signal.aborted && this.#produces === 0) this.#release();
    }
  }

  async #consume(message: ConsumeMessage): Promise<void> {
    if (this.#consuming !== null) {
      return this.#say({ error: { detail: "it consumes already: stop that first" } });
    }
    const stop = this.#consuming = new AbortController();
    this.#credit = message.credit ?? CREDIT_DEFAULT;
    const { stopping } = this.services;
    const signal = AbortSignal.any([stop.signal, this.#closed.signal, stopping]);
    let scan: TopicScan | null = null;
    try {
      const query = browseQuery(consumeQuery(message), undefined, this.services.clock.wallMs());
      scan = await this.services.openScan(query, signal);
      const reason = await this.#send(scan, query, signal);
      this.#say({ end: { reason, next: scan.positions } });
    } catch (error) {
      const next = scan === null ? {} : { next: scan.positions };
      if (signal.aborted) this.#say({ end: { reason: "stopped", ...next } });
      else this.#say({ end: { reason: "error", detail: detailOf(error), ...next } });
    } finally {
      this.#consuming = null;
      await scan?.close();
    }
  }

  async #send(scan: TopicScan, query: BrowseQuery, signal: AbortSignal): Promise<string> {
    const envelope = envelopeOf(query.keyAs, query.valueAs);
    const left = { records: query.limit ?? Infinity };
    for (;;) {
      const next = await scan.next(signal);
      if (next === null) return "end";
      await this.#sendChunk(scan, query, next.chunk, next.of, envelope, left, signal);
      if (left.records <= 0) return "limit";
      await scan.giveWay();
    }
  }

  async #sendChunk(
    scan: TopicScan,
    { select, onError }: BrowseQuery,
    chunk: FetchedChunk,
    of: ScanPartition,
    envelope: ReturnType<typeof envelopeOf>,
    left: { records: number },
    signal: AbortSignal,
  ): Promise<void> {
    const below = Math.max(chunk.fetchOffset, of.skipBelow);
    const until = of.until ?? Infinity;
    for (const cursor of chunk.cursors()) {
      while (cursor.next()) {
        if (cursor.offset < below) continue;
        if (cursor.offset >= until) return scan.reached(of, until);
        let json: string | null = null;
        try {
          const record = select === null ? cursor : select(cursor, chunk);
          json = record === null ? null : envelope(record, chunk);
        } catch (error) {
          if (!(error instanceof OperatorError) || onError === "stop") throw error;
        }
        if (json !== null) await this.#sendRecord(json, scan, of, cursor.offset + 1, signal);
        else scan.reached(of, cursor.offset + 1);
        if (json !== null && --left.records <= 0) return;
        if ((cursor.offset & 0xff) === 0) await scan.giveWay();
      }
    }
    scan.reached(of, chunk.nextOffset);
  }

  async #sendRecord(
    json: string,
    scan: TopicScan,
    of: ScanPartition,
    next: number,
    signal: AbortSignal,
  ): Promise<void> {
    while (this.#credit === 0) await this.#awake(signal, null);
    while (this.socket.pendingBytes > PENDING_BYTES_MAX) {
      await this.#awake(signal, BROWSE_LIMITS.slowReaderMs);
    }
    signal.throwIfAborted();
    this.#credit--;
    scan.reached(of, next);
    this.socket.send(`{"record":${json},"next":"${scan.positions}"}`);
    await this.services.permit.sent(json.length, signal);
  }

  /** Until there is something new; who is slow for longer than `slowMs` is let go. */
  async #awake(signal: AbortSignal, slowMs: number | null): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
    const timer = slowMs === null ? null : this.services.clock.setTimer(slowMs, () => {
      this.socket.close(POLICY, "slow reader");
      this.#closed.abort();
      resolve();
    });
    await promise;
    timer?.cancel();
    this.#wake = null;
    signal.throwIfAborted();
  }
}

function detailOf(error: unknown): string {
  if (error instanceof OperatorError) return `${error.what}: ${error.why}`;
  if (error instanceof z.ZodError) return invalid("query", error).detail;
  const problem = clientProblem(error);
  if (problem === null) throw error;
  return problem.detail;
}
