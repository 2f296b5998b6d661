/** Who leads the group, and what this worker does where it does. */
import type { Timer } from "../../core/io.ts";
import type { WorkerMembership } from "../group/membership.ts";
import type { Work } from "../group/work.ts";
import type { Worker } from "../worker/worker.ts";
import { ElsewhereError, HerderError } from "./errors.ts";
import type { LeaderRequests } from "./herder.ts";
import type { HerderOptions } from "./herder-options.ts";
import { Leader } from "./leader.ts";
import { staleStatuses } from "./stale-statuses.ts";
import type { StatusWriter } from "./status-writer.ts";
import type { Views } from "./views.ts";

export interface LeadershipOptions extends HerderOptions {
  readonly worker: Worker;
  readonly membership: WorkerMembership;
  readonly views: Views;
  readonly says: StatusWriter;
  /** Whether the worker has begun and not ended. */
  readonly isRunning: () => boolean;
}

/** How often a leader looks what is to be done. */
const DUTIES_MS = 60_000;

/** See the head of the file. */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #leader: Leader;
  /** What other workers ask of the leader. */
  readonly internal: LeaderRequests;
  /** Whether this worker has taken over as leader. */
  #leads = false;
  #duties: Timer | null = null;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    const { membership, views } = options;
    this.#leader = new Leader({
      ...options,
      typeOf: (config) => views.typeOf(config),
      // Perhaps another one leads by now: that shows when this one joins again.
      writeFailed: () => {
        this.#leads = false;
        membership.rejoin();
      },
    });
    this.internal = {
      putTaskConfigs: (connector, tasks) => this.own().putTaskConfigs(connector, tasks),
      fence: (connector) => this.own().fence(connector),
    };
  }

  /** The part of the leader, if that is this worker. Throws `ElsewhereError`. */
  own(): Leader {
    const { isRunning, membership } = this.#options;
    if (!isRunning()) throw new HerderError(503, "the worker is starting or stopping");
    if (membership.isLeader) return this.#leader;
    const url = membership.leader?.url ?? null;
    throw new ElsewhereError(url, "Only the leader of the group can do this");
  }

  /** The leader, whoever it is, for what this worker wants of it. */
  ask(): LeaderRequests {
    const { membership, link } = this.#options;
    if (membership.isLeader) return this.internal;
    const url = membership.leader?.url ?? null;
    if (url === null) throw new ElsewhereError(null, "there is no leader at the moment");
    return link.requests(url);
  }

  /** The group has said who has what, and so who leads. */
  heard(): void {
    if (this.#options.membership.isLeader) void this.#lead();
    else this.#leads = false;
  }

  /** The group has lost this worker. */
  lost(): void {
    this.#leads = false;
  }

  /** As leader: no status stays of what is not there, nor says that it runs where nobody is. */
  tidyStatuses(): void {
    const { configs, statuses, membership, says } = this.#options;
    const isGiven = (work: Work) => membership.ownerOf(work) !== null;
    for (const record of staleStatuses(configs.state, statuses, isGiven)) says.record(record);
  }

  close(): void {
    this.#duties?.cancel();
  }

  /** Takes over as leader, once; what leaders do now and then goes on from there. */
  async #lead(): Promise<void> {
    const { clock, logger, configs, sessionKeys, isRunning, membership } = this.#options;
    this.#duties ??= clock.setTimer(DUTIES_MS, () => {
      this.#duties = null;
      if (isRunning() && membership.isLeader) void this.#lead();
    });
    this.tidyStatuses();
    try {
      if (!this.#leads) {
        this.#leads = true;
        await this.#leader.begin();
      }
      await sessionKeys.renew(configs.state, this.#leader);
    } catch (error) {
      this.#leads = false;
      logger.warn("cannot do what leaders do, yet", { why: String(error) });
    }
  }
}
