/**
 * What the controller does by itself, now and then: leaders go back to where they are preferred, leaders
 * are elected uncleanly where that is configured, and the coordinators' topics are raised as hosts join.
 * Every node runs it; what is not controller does nothing.
 */
import { ELECTIONS_MAX, leaderChanges } from "../../cluster/controller/leader-balance.ts";
import { type Clock, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { Controller } from "../controller.ts";
import { electionContext } from "../elections.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import { accept } from "../outcome.ts";
import { planRaise, wantsRaise } from "../plan-internal-topics.ts";

/** How often it is looked whether an internal topic lacks replicas. */
const RAISE_CHECK_MS = 2000;
/** How often partitions without a leader are looked for, for the case that a config has changed. */
const UNCLEAN_CHECK_MS = 60_000;

/** What it is built from. */
export interface ControllerTasksOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metadata: MetadataCache;
  readonly controller: Controller;
}

/** See the head of the file. It runs from the beginning; `close` it. */
export class ControllerTasks {
  readonly #options: ControllerTasksOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(options: ControllerTasksOptions) {
    this.#options = options;
    const { config } = options.metadata;
    this.#running = Promise.all([
      this.#repeat(
        () => config.get("leader.imbalance.check.interval.seconds") * 1000,
        () => this.balance(),
      ),
      this.#repeat(() => UNCLEAN_CHECK_MS, () => this.#elect("unclean")),
      this.#repeat(() => RAISE_CHECK_MS, () => this.#raise()),
    ]);
  }

  /** Gives the lead to preferred replicas now, if `auto.leader.rebalance.enable` says so. */
  async balance(): Promise<void> {
    const { config } = this.#options.metadata;
    if (config.get("auto.leader.rebalance.enable")) await this.#elect("preferred");
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    await this.#running;
  }

  async #repeat(intervalMs: () => number, run: () => Promise<void>): Promise<void> {
    const { signal } = this.#closed;
    for (;;) {
      await sleep(this.#options.clock, intervalMs(), signal).catch(() => {});
      if (signal.aborted) return;
      if (this.#options.controller.isActive) await run();
    }
  }

  async #elect(election: "preferred" | "unclean"): Promise<void> {
    const { controller, logger } = this.#options;
    for (let changed = ELECTIONS_MAX; changed === ELECTIONS_MAX && !this.#closed.signal.aborted;) {
      const [outcome] = await controller.change<number>(1, function* ({ image, config }) {
        const context = electionContext(image, config);
        const records = yield* leaderChanges(image, election, context);
        return { records, outcomes: [accept(records.length)] };
      });
      if (outcome?.ok !== true) {
        return logger.warn("leaders cannot be changed", { election, reason: outcome?.message });
      }
      changed = outcome.value;
      if (changed > 0) logger.info("leaders were changed", { election, partitions: changed });
    }
  }

  async #raise(): Promise<void> {
    const { controller, logger, metadata } = this.#options;
    if (!wantsRaise(metadata.image, metadata.config)) return;
    const [outcome] = await controller.change(1, planRaise);
    if (outcome?.ok === true) logger.info("internal topics get more replicas");
    else logger.warn("internal topics cannot get more replicas", { reason: outcome?.message });
  }
}
