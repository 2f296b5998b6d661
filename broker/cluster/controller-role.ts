/**
 * A node's part in being the controller of its cluster: it stands for election, and goes from following
 * the metadata to writing them and back. While it is in office `brokers` looks after the others.
 */
import { asError } from "../../core/as-error.ts";
import type { ControllerElection, ElectedController } from "../../cluster/controller-election.ts";
import { MetadataUnavailableError } from "../../cluster/metadata-log.ts";
import { MetadataFormatError } from "../../cluster/metadata-records.ts";
import type { Connection } from "../../core/connection.ts";
import { type HostPort, sleep } from "../../core/io.ts";
import { BrokerControl, type BrokerControlOptions } from "./broker-control.ts";

/** What follows the metadata where this node is not the controller. */
export interface Follower {
  start(): void;
  /** When it resolves, nothing is published by it any more. */
  stop(): Promise<void>;
}

/** What it is built from. */
export interface ControllerRoleOptions extends BrokerControlOptions {
  readonly election: ControllerElection;
  readonly follower: Follower;
}

/** Between tries to take the office while the metadata log cannot be read. */
const RETRY_MS = 500;

/** See the head of the file. `start` it once the node can be reached; `stop` it. */
export class ControllerRole {
  readonly #options: ControllerRoleOptions;
  /** The last controller that was heard of, this node or another one. */
  #last: ElectedController | null = null;
  /** The term that this node was elected for, as the election says. */
  #elected: number | null = null;
  /** The term that it is in office for. */
  #term: number | null = null;
  /** Another node, which was in office before. */
  #former: number | null = null;
  #brokers: BrokerControl | null = null;
  #unsubscribe: () => void = () => {};
  #isFollowing = false;
  #isStopped = false;
  /** Whether nothing was heard since the last look at what is wanted. */
  #isSettled = true;
  #settling: Promise<void> | null = null;
  #news = new AbortController();
  readonly #watched = new WeakSet<Connection>();

  constructor(options: ControllerRoleOptions) {
    this.#options = options;
  }

  /** What looks after the brokers; null while this node is not the controller. */
  get brokers(): BrokerControl | null {
    return this.#options.controller.isActive ? this.#brokers : null;
  }

  /** Follows the metadata and stands for election; `address` is where other brokers reach this node. */
  start(address: HostPort): void {
    const { election, nodeId } = this.#options;
    this.#settle();
    this.#unsubscribe = election.onChange(() => this.#last = election.controller ?? this.#last);
    this.#last = election.controller;
    election.campaign({
      onElected: (term) => {
        // Nobody knows yet of this election, so the last one is the one before.
        this.#former = this.#last === null || this.#last.nodeId === nodeId
          ? null
          : this.#last.nodeId;
        this.#elected = term;
        this.#settle();
      },
      onLost: (reason) => {
        this.#options.logger.info("this node is not the controller any more", { reason });
        this.#elected = null;
        // Nobody waits for what may take its time.
        this.#brokers?.close();
        this.#brokers = null;
        this.#settle();
      },
    }, address);
  }

  /**
   * Watches a connection to this controller. When it ends and its port refuses others, its office is free
   * for the next.
   */
  watch(controller: ElectedController, connection: Connection): void {
    if (this.#watched.has(connection)) return;
    this.#watched.add(connection);
    connection.onClose(() => void this.#lookWhetherGone(controller).catch(this.#onBug));
  }

  /** Lets another node be elected at once, and follows the metadata until `stop`. */
  async resign(): Promise<void> {
    await this.#options.election.resign();
    this.#elected = null;
    this.#settle();
    await this.#settling;
  }

  /** Ends both. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    await this.resign();
  }

  /** Goes to where it should be, which may be another place when it has got there. */
  #settle(): void {
    this.#news.abort(new Error("something else is wanted"));
    this.#news = new AbortController();
    this.#isSettled = false;
    if (this.#settling !== null) return;
    this.#settling = this.#settleAll().catch(this.#onBug);
  }

  async #settleAll(): Promise<void> {
    while (!this.#isSettled) {
      this.#isSettled = true;
      const wanted = this.#elected;
      if (this.#term !== wanted) await this.#leave();
      if (wanted === null) await this.#follow();
      else if (this.#term === null) await this.#take(wanted);
    }
    this.#settling = null;
  }

  async #follow(): Promise<void> {
    const { follower } = this.#options;
    if (this.#isStopped && this.#isFollowing) await follower.stop();
    if (!this.#isStopped && !this.#isFollowing) follower.start();
    this.#isFollowing = !this.#isStopped;
  }

  async #lookWhetherGone(controller: ElectedController): Promise<void> {
    const { election, isRefused, logger } = this.#options;
    const isStill = () => !this.#isStopped && election.controller?.term === controller.term;
    if (isRefused === undefined || !isStill()) return;
    if (!await isRefused(controller.address) || !isStill()) return;
    const { nodeId: node } = controller;
    logger.warn("the controller is gone: its port refuses connections", { node });
    await election.depose(controller);
  }

  readonly #onBug = (error: unknown) => {
    this.#options.onBug(asError(error));
  };

  async #leave(): Promise<void> {
    this.#brokers?.close();
    this.#brokers = null;
    if (this.#term !== null) await this.#options.controller.deactivate();
    this.#term = null;
  }

  /** Takes the office, unless something else is wanted in the meantime or it cannot be. */
  async #take(term: number): Promise<void> {
    const { clock, controller, follower, logger } = this.#options;
    if (this.#isFollowing) await follower.stop();
    this.#isFollowing = false;
    for (let isFirst = true; this.#elected === term; isFirst = false) {
      const { signal } = this.#news;
      try {
        await controller.activate();
        this.#term = term;
        if (this.#elected !== term) return;
        this.#brokers = new BrokerControl(this.#options, this.#former);
        logger.info("this node is the controller", { term });
        return;
      } catch (error) {
        if (error instanceof MetadataFormatError) return this.#refuse(error);
        if (!(error instanceof MetadataUnavailableError)) throw error;
        const { message: reason } = error;
        if (isFirst) logger.warn("the office of the controller cannot be taken yet", { reason });
        await sleep(clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  /** Somebody of another version may be able to read it. */
  async #refuse(error: MetadataFormatError): Promise<void> {
    const { election, logger } = this.#options;
    logger.error("this node cannot be the controller: it cannot read the metadata of the cluster", {
      reason: error.message,
    });
    await election.resign();
    this.#elected = null;
  }
}
