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
    return {
      get engine() {
        return engine;
      },
      changelogOffset: null,
      uncommittedBytes: 0,
      sizeBytes: null,
      commit: () => {},
      wipe: () => {
        engine.close();
        engine = fresh();
      },
    };
  },
};
