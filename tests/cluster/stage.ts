/**
 * What a test with a cluster of real processes is made of: acts, each with a cluster of its own and
 * clients at work on it, and scenarios in them, each one thing that happens meanwhile. `acts.ts` lists
 * them, `run.ts` plays them.
 */
import type { ClusterScene, SceneBroker, SceneOptions } from "./scene.ts";

/** Clients at work, and the judgement of what they were told. */
export interface Work {
  /** What was acknowledged so far, in each of the strands that all have to go on. */
  readonly acknowledged: readonly number[];
  /** The longest time in which nothing was acknowledged in some strand. */
  readonly longestPauseMs: number;
  start(): void;
  /** Begins to measure `longestPauseMs` anew. */
  measurePause(): void;
  /**
   * Ends the work and judges it: gives figures in a line, or throws what was wrong. `keep` takes the
   * history, to be looked at if it was.
   */
  finish(keep: (history: readonly object[]) => void): Promise<string>;
}

/** The world of a scenario. */
export interface Stage {
  readonly scene: ClusterScene;
  readonly work: Work;
  readonly topic: string;
  /** The broker that leads partition 0 of the topic now, or of another one. */
  leader(topic?: string): Promise<SceneBroker>;
  /** Waits until so much more is acknowledged in each strand that all goes on, or fails in a while. */
  steady(): Promise<void>;
}

/** One thing that happens; at its end all is well again. */
export interface Scenario {
  readonly name: string;
  /** Of the pause in acknowledgements of any strand, in milliseconds. */
  readonly pauseMaxMs: number;
  run(stage: Stage): Promise<void>;
}

/** Scenarios one after the other on one cluster. */
export interface Act {
  /** What the clients do. */
  readonly name: string;
  readonly cluster: Omit<SceneOptions, "etcd">;
  /** Makes the topic and clients for it; they begin with `start`. */
  prepare(scene: ClusterScene, topic: string): Promise<Work>;
  /** So much more in each strand is steady work. */
  readonly steady: number;
  readonly scenarios: readonly Scenario[];
}

/** A session, and what the promise allows beyond it, in which clients have to notice by themselves. */
export const UNNOTICED_MS = 9000 + 2000;
/** In which all has to go on again. */
export const STEADY_MS = 60_000;
