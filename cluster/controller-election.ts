/** Elects the controller of a cluster: one of its nodes, the only one that appends to the metadata. */
import type { HostPort } from "../core/io.ts";

/** What a candidate wants to hear. Calls alternate, beginning with `onElected`. */
export interface ElectionListener {
  /** This node is the controller from now on. Terms grow with every election of the cluster. */
  onElected(term: number): void;
  /**
   * It no longer is, and must not act as one. The reason is a sentence. Unless it has resigned it
   * stands for election again.
   */
  onLost(reason: string): void;
}

/** Who is controller, as far as is known. */
export interface ElectedController {
  readonly nodeId: number;
  readonly term: number;
  /** Where other nodes reach it. */
  readonly address: HostPort;
}

/**
 * An election that never ends. More than one node may believe for a moment that it is controller;
 * the metadata log takes appends of the last one elected only.
 */
export interface ControllerElection {
  /** The term that this node is controller in, by its own clock, or null if it is not. */
  readonly term: number | null;
  /** The last controller that was heard of; null if there is none at present. */
  readonly controller: ElectedController | null;
  /**
   * Calls back when `controller` has changed or this node has lost the office. Returns the function that
   * ends it.
   */
  onChange(listener: () => void): () => void;
  /**
   * Stands for election until `resign`; to be called once. `address` is where other nodes reach this one
   * when it is controller.
   */
  campaign(listener: ElectionListener, address: HostPort): void;
  /**
   * Lets another node be elected at once: the process of this controller is gone, and its office would
   * else be free only when its lease has ended. If that is wrong, it costs an election and nothing else,
   * since the log takes no appends of the one who was deposed. Never rejects.
   */
  depose(controller: ElectedController): Promise<void>;
  /** Gives the office up, so that another can take it at once, and stands no more. Never rejects. */
  resign(): Promise<void>;
}
