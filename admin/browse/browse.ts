/** Reads records into an answer, as long as there are any, they are wanted, and somebody reads. */
import { OperatorError } from "../../core/operator-error.ts";
import { Output } from "../../core/text/output.ts";
import { clientProblem } from "../client-problem.ts";
import type { BrowseQuery } from "./browse-query.ts";
import { envelopeOf, type StreamFormat } from "./record-lines.ts";
import type { ResponseWriter } from "./response-writer.ts";
import type { ScanPartition, TopicScan } from "./topic-scan.ts";
import type { FetchedChunk } from "../../client/consumer.ts";

const FLUSH_BYTES = 64 * 1024;
/** Proxies and clients take a connection that is silent for longer for dead. */
export const HEARTBEAT_MS = 15_000;

/** Why an answer ends. */
export type EndReason = "end" | "limit" | "slow reader" | "stopping" | "error";

/** Runs it to its end; closes the scan. Never rejects but for bugs. */
export async function runBrowse(
  scan: TopicScan,
  query: BrowseQuery,
  format: StreamFormat,
  writer: ResponseWriter,
  stopping: AbortSignal,
): Promise<void> {
  await new Browse(scan, query, format, writer, stopping).run();
}

class Browse {
  readonly #output = new Output(() => Promise.resolve(true));
  readonly #envelope;
  readonly #stop: AbortSignal;
  #sent = 0;
  /** Behind the last record that was handed over. */
  #handedOver: string;
  #skipped = 0;

  constructor(
    readonly scan: TopicScan,
    readonly query: BrowseQuery,
    readonly format: StreamFormat,
    readonly writer: ResponseWriter,
    readonly stopping: AbortSignal,
  ) {
    this.#envelope = envelopeOf(query.keyAs, query.valueAs);
    this.#stop = AbortSignal.any([writer.gone, stopping]);
    this.#handedOver = scan.positions;
    writer.lastWord = () =>
      format.note("end", { reason: "slow reader" satisfies EndReason }, this.#handedOver);
  }

  async run(): Promise<void> {
    const heart = this.#beat();
    try {
      const reason = await this.#readAll();
      if (reason !== null) await this.#end(reason, {});
    } catch (error) {
      if (this.writer.gone.aborted) return;
      if (this.stopping.aborted) await this.#end("stopping", {});
      else await this.#fail(error);
    } finally {
      heart();
      this.writer.permit.leave();
      await this.scan.close();
    }
  }

  /** Null if nobody reads any more. */
  async #readAll(): Promise<EndReason | null> {
    const { limit } = this.query;
    for (;;) {
      const next = await this.scan.next(this.#stop);
      if (next === null) return "end";
      if (!await this.#take(next.chunk, next.of)) return null;
      if (!await this.#flush()) return null;
      if (limit !== null && this.#sent >= limit) return "limit";
      await this.scan.giveWay();
    }
  }

  /** The records of a chunk; false if nobody reads any more. */
  async #take(chunk: FetchedChunk, of: ScanPartition): Promise<boolean> {
    const { select, limit } = this.query;
    const below = Math.max(chunk.fetchOffset, of.skipBelow);
    const until = of.until ?? Infinity;
    for (const cursor of chunk.cursors()) {
      while (cursor.next()) {
        const { offset } = cursor;
        if (offset < below) continue;
        if (offset >= until) return this.#reached(of, until);
        const json = this.#orSkip(() => {
          const record = select === null ? cursor : select(cursor, chunk);
          return record === null ? null : this.#envelope(record, chunk);
        });
        this.scan.reached(of, offset + 1);
        if (json !== null) {
          this.#output.text(this.format.record(json, this.scan.positions));
          this.#sent++;
        }
        if (limit !== null && this.#sent >= limit) return true;
        if (this.#output.size >= FLUSH_BYTES && !await this.#flush()) return false;
        if ((offset & 0xff) === 0) await this.scan.giveWay();
      }
    }
    return this.#reached(of, chunk.nextOffset);
  }

  #reached(of: ScanPartition, next: number): true {
    this.scan.reached(of, next);
    return true;
  }

  #orSkip(make: () => string | null): string | null {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof OperatorError) || this.query.onError === "stop") throw error;
      this.#skipped++;
      return null;
    }
  }

  async #flush(): Promise<boolean> {
    if (this.#output.size === 0) return !this.writer.gone.aborted;
    const { positions } = this.scan;
    const isTaken = await this.writer.write(this.#output.take());
    if (isTaken) this.#handedOver = positions;
    return isTaken;
  }

  async #end(reason: EndReason, members: Readonly<Record<string, unknown>>): Promise<void> {
    const said = { reason, records: this.#sent, skipped: this.#skipped, ...members };
    // An answer that has all that was asked for needs no word more where its end says so.
    const isPlain = (reason === "end" || reason === "limit") && this.#skipped === 0 &&
      this.format.heartbeat("") === "";
    if (!isPlain) this.#output.text(this.format.note("end", said, this.scan.positions));
    await this.writer.end(this.#output.take());
  }

  async #fail(error: unknown): Promise<void> {
    const problem = clientProblem(error);
    if (problem === null) {
      await this.#end("error", { detail: "internal error" });
      throw error;
    }
    const { status, title } = problem;
    const detail = error instanceof OperatorError ? `${error.what}: ${error.why}` : problem.detail;
    await this.#end("error", { status, title, detail });
  }

  /** Keeps an idle connection alive; returns what ends it. */
  #beat(): () => void {
    if (this.format.heartbeat("") === "") return () => {};
    const { clock } = this.scan;
    const beat = () => {
      timer = clock.setTimer(HEARTBEAT_MS, beat);
      this.writer.offer(() => this.format.heartbeat(this.#handedOver));
    };
    let timer = clock.setTimer(HEARTBEAT_MS, beat);
    return () => timer.cancel();
  }
}
