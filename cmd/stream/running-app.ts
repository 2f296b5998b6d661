/** An application at work, in this thread or in others. */
import type { StreamsStatus } from "../../stream/runtime/streams-app.ts";

/** See the head of the file. */
export interface RunningApp {
  /** When it takes part in its group. Rejects where it cannot. */
  start(): Promise<void>;
  /** Rejects when it can do no more; it is still to be closed. */
  readonly failed: Promise<never>;
  status(): StreamsStatus;
  /** Commits what is done and leaves the group. */
  close(): Promise<void>;
}
