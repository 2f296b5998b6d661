/** Stores in memory alone: all of them are restored when a task begins. */
import { engineOf } from "../stores/open-store.ts";
import { MemoryEngine } from "../stores/memory-engine.ts";
import type { StoreEngine } from "../stores/engine.ts";
import type { StateProvider } from "./task-stores.ts";

/** See the head of the file. */
export const memoryState: StateProvider = {
  restingPositions: () => new Map(),
  open: (_taskId, spec) => {
    const fresh = (): StoreEngine => engineOf(spec, () => new MemoryEngine());
    let engine = fresh();
    let changelogId: string | null = null;
    return {
      get engine() {
        return engine;
      },
      get changelogId() {
        return changelogId;
      },
      changelogOffset: null,
      uncommittedBytes: 0,
      sizeBytes: null,
      copies: null,
      commit: () => {},
      setChangelogId: (topicId) => void (changelogId = topicId),
      wipe: () => {
        engine.close();
        engine = fresh();
      },
    };
  },
};
