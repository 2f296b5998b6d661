/**
 * A search through a topic into an answer: what is found as it is found, and how far it is each
 * 250 ms. It ends with the reader.
 */
import { Output } from "../../core/text/output.ts";
import { clientProblem } from "../client-problem.ts";
import { ChunkSearch } from "./chunk-search.ts";
import { envelopeOf, type StreamFormat } from "./record-lines.ts";
import type { ResponseWriter } from "./response-writer.ts";
import type { SearchQuery } from "./search-query.ts";
import type { ScanPartition, TopicScan } from "./topic-scan.ts";
import type { FetchedChunk } from "../../client/consumer.ts";

/** So often it says how far it is. */
export const PROGRESS_MS = 250;
const FLUSH_BYTES = 64 * 1024;

/** How far a search is. */
export interface SearchProgress {
  /** Offsets that were gone over, of how many. */
  readonly scanned: number;
  readonly of: number;
  readonly bytes: number;
  readonly found: number;
  /** Records that the expression has failed of. */
  readonly failed: number;
}

/** Runs it to its end; closes the scan. Never rejects but for bugs. */
export async function runSearch(
  scan: TopicScan,
  query: SearchQuery,
  format: StreamFormat,
  writer: ResponseWriter,
  stopping: AbortSignal,
): Promise<void> {
  await new Search(scan, query, format, writer, stopping).run();
}

class Search {
  readonly #output = new Output(() => Promise.resolve(true));
  readonly #search: ChunkSearch;
  readonly #envelope = envelopeOf("string", "string");
  readonly #stop: AbortSignal;
  readonly #total: number;
  #found = 0;
  #bytes = 0;
  #toldAtMs: number;

  constructor(
    readonly scan: TopicScan,
    readonly query: SearchQuery,
    readonly format: StreamFormat,
    readonly writer: ResponseWriter,
    readonly stopping: AbortSignal,
  ) {
    this.#search = new ChunkSearch(query);
    this.#stop = AbortSignal.any([writer.gone, stopping]);
    this.#total = scan.partitions.reduce(
      (sum, { from, until }) => sum + Math.max(0, (until ?? from) - from),
      0,
    );
    this.#toldAtMs = scan.clock.monotonicMs();
    writer.lastWord = () => this.#note("end", { reason: "slow reader" });
  }

  async run(): Promise<void> {
    const timer = this.#tellWhileWaiting();
    try {
      this.#tell();
      if (!await this.#flush()) return;
      const reason = await this.#readAll();
      if (reason === null) return;
      this.#output.text(this.#note("end", { reason }));
      await this.writer.end(this.#output.take());
    } catch (error) {
      if (this.writer.gone.aborted) return;
      const problem = clientProblem(error);
      const why = this.stopping.aborted
        ? { reason: "stopping" }
        : { reason: "error", detail: problem?.detail ?? "internal error" };
      this.#output.text(this.#note("end", why));
      await this.writer.end(this.#output.take());
      if (problem === null && !this.stopping.aborted) throw error;
    } finally {
      timer();
      this.writer.permit.leave();
      await this.scan.close();
    }
  }

  async #readAll(): Promise<"end" | "limit" | null> {
    for (;;) {
      const next = await this.scan.next(this.#stop);
      if (next === null) return "end";
      if (!await this.#take(next.chunk, next.of)) return null;
      if (this.#found >= this.query.limit) return "limit";
      await this.scan.giveWay();
      this.#tellIfDue();
      if (this.#output.size > 0 && !await this.#flush()) return null;
    }
  }

  async #take(chunk: FetchedChunk, of: ScanPartition): Promise<boolean> {
    const below = Math.max(chunk.fetchOffset, of.skipBelow);
    const until = of.until ?? Infinity;
    this.#bytes += chunk.bytes.length;
    for (const cursor of this.#search.found(chunk)) {
      if (cursor === null) {
        await this.scan.giveWay();
        this.#tellIfDue();
        continue;
      }
      if (cursor.offset < below) continue;
      if (cursor.offset >= until) break;
      this.scan.reached(of, cursor.offset + 1);
      this.#output.text(this.format.record(this.#envelope(cursor, chunk), this.scan.positions));
      if (++this.#found >= this.query.limit) return true;
      if (this.#output.size >= FLUSH_BYTES && !await this.#flush()) return false;
    }
    this.scan.reached(of, Math.min(chunk.nextOffset, until));
    return true;
  }

  async #flush(): Promise<boolean> {
    return await this.writer.write(this.#output.take());
  }

  #tellIfDue(): void {
    if (this.scan.clock.monotonicMs() - this.#toldAtMs >= PROGRESS_MS) this.#tell();
  }

  #tell(): void {
    this.#toldAtMs = this.scan.clock.monotonicMs();
    this.#output.text(this.#note("progress", {}));
  }

  /** While nothing comes to search in, the reader hears that nevertheless. */
  #tellWhileWaiting(): () => void {
    const { clock } = this.scan;
    const tell = () => {
      timer = clock.setTimer(PROGRESS_MS, tell);
      if (clock.monotonicMs() - this.#toldAtMs < PROGRESS_MS || this.#output.size > 0) return;
      this.#toldAtMs = clock.monotonicMs();
      this.writer.offer(() => this.#note("progress", {}));
    };
    let timer = clock.setTimer(PROGRESS_MS, tell);
    return () => timer.cancel();
  }

  #note(name: string, members: Readonly<Record<string, unknown>>): string {
    const scanned = this.scan.partitions.reduce(
      (sum, { next, from }) => sum + Math.max(0, next - from),
      0,
    );
    const progress: SearchProgress = {
      ...{ scanned, of: Math.max(this.#total, scanned), bytes: this.#bytes },
      ...{ found: this.#found, failed: this.#search.failed },
    };
    return this.format.note(name, { ...members, ...progress }, this.scan.positions);
  }
}
