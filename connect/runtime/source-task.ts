/** A source at work: its batches, one after the other, to the topics. */
import { asError } from "../../core/as-error.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import { sleep } from "../../core/io.ts";
import type { PartialSourceRecord } from "../data/record.ts";
import { RetriableError } from "../connector.ts";
import type { SourceContext, SourcePosition } from "../connector.ts";
import { Backoff } from "../../core/backoff.ts";
import { messageOf } from "./error-policy.ts";
import type { PreparedSource } from "./running-task.ts";
import type { DeliveryListener, SourceDelivery } from "./source-delivery.ts";
import { TaskBase } from "./task-base.ts";
import type { TaskWorld } from "./task-world.ts";

const FIRST_PAUSE_MS = 500;
const PAUSE_MS_MAX = 60_000;

type Batches = AsyncIterator<readonly PartialSourceRecord[]>;

/** See the head of the file. */
export class SourceTask extends TaskBase<PreparedSource> {
  /** Of the reading that goes on; those of one before hear no more. */
  #hearAcknowledged: ((positions: readonly SourcePosition[]) => void)[] = [];
  #hearCommitted: ((positions: readonly SourcePosition[]) => Promise<void> | void)[] = [];
  #hearWritten: DeliveryListener["written"][] = [];
  #delivery: SourceDelivery | null = null;
  #lost: Error | null = null;

  constructor(
    world: TaskWorld,
    prepared: PreparedSource,
    /** Makes the way of the records. */
    readonly openDelivery: (listener: DeliveryListener) => SourceDelivery,
  ) {
    super(world, prepared);
  }

  override async run(): Promise<void> {
    const { fence } = this.prepared;
    await fence?.call(this.prepared);
    const delivery = this.#delivery = this.openDelivery({
      written: (record, offset) => {
        for (const hear of this.#hearWritten) hear(record, offset);
      },
      acknowledged: (offsets) => {
        if (this.#hearAcknowledged.length === 0) return;
        const positions = offsets.positions();
        for (const hear of this.#hearAcknowledged) hear(positions);
      },
      committed: async (offsets) => {
        const positions = offsets.positions();
        for (const hear of this.#hearCommitted) await hear(positions);
      },
      lost: (error) => {
        this.#lost ??= error;
        this.stop(true);
      },
    });
    try {
      await delivery.begin();
      await this.#readAll(delivery);
      const finished = delivery.finish();
      finished.catch(() => {});
      if (await nullIfAborted(finished.then(() => true), this.now.signal) === null) {
        throw this.#lost ?? new Error("it was given up before all that was read was safe");
      }
    } catch (error) {
      this.stopping.abort();
      delivery.abandon(asError(error));
      throw error;
    }
  }

  protected override ownFigures(): Readonly<Record<string, number>> {
    return this.#delivery?.figures() ?? {};
  }

  /** Reads until the source ends or is stopped; begins it anew where it says that this may help. */
  async #readAll(delivery: SourceDelivery): Promise<void> {
    const pauses = new Backoff(this.world.io.random, FIRST_PAUSE_MS, PAUSE_MS_MAX);
    while (!this.stopping.signal.aborted) {
      try {
        await this.#read(delivery, () => pauses.reset());
        return;
      } catch (error) {
        if (!(error instanceof RetriableError) || this.stopping.signal.aborted) throw error;
        // What was read is stored before, so that the source goes on behind it.
        await delivery.finish();
        await delivery.begin();
        const pauseMs = pauses.nextMs();
        this.log.warn("the source is read again", { error: messageOf(error), pauseMs });
        await nullIfAborted(sleep(this.world.io.clock, pauseMs), this.stopping.signal);
      }
    }
  }

  async #read(delivery: SourceDelivery, onBatch: () => void): Promise<void> {
    const { signal } = this.stopping;
    const batches = this.prepared.definition.read(this.#itsContext())[Symbol.asyncIterator]();
    try {
      for (;;) {
        await this.gate.passed();
        if (signal.aborted) return;
        const next = await nullIfAborted(Promise.resolve(batches.next()), this.now.signal);
        if (this.#lost !== null) throw this.#lost;
        if (next === null || next.done === true) return;
        // What comes once it is stopped is dropped: it is read again from the offsets stored.
        if (signal.aborted || next.value.length === 0) continue;
        await delivery.take(next.value);
        onBatch();
        await nullIfAborted(this.pace.went(next.value.length, signal), signal);
      }
    } finally {
      await this.#close(batches);
    }
  }

  /** Has the source put away what it holds; one that does not come back is not waited for. */
  async #close(batches: Batches): Promise<void> {
    const closing = Promise.resolve(batches.return?.()).catch((error: unknown) => {
      this.log.warn("the source did not end well", { error: messageOf(error) });
    });
    const { clock } = this.world.io;
    const enough = new AbortController();
    const timer = clock.setTimer(
      this.world.settings.taskShutdownTimeoutMs,
      () => enough.abort(),
    );
    await nullIfAborted(closing, AbortSignal.any([enough.signal, this.now.signal]));
    timer.cancel();
  }

  #itsContext(): SourceContext<Readonly<Record<string, unknown>>> {
    const { connector } = this.prepared.id;
    const { offsets } = this.world;
    this.#hearAcknowledged = [];
    this.#hearWritten = [];
    this.#hearCommitted = [];
    return {
      ...this.context(),
      offsets: {
        get: async (partition) => (await offsets.get(connector, [partition]))[0] ?? null,
        getAll: (partitions) => offsets.get(connector, partitions),
      },
      onAcknowledged: (hear) => void this.#hearAcknowledged.push(hear),
      onCommitted: (hear) => void this.#hearCommitted.push(hear),
      onWritten: (hear) => void this.#hearWritten.push(hear),
    };
  }
}
