/**
 * `Disk.flushHint` in a worker thread: the call blocks its thread for as long as the device has to
 * write, also what other programs have written. Nothing comes of it but that later syncs find less
 * to do.
 */
import { closeSync, openSync } from "node:fs";
import type { OffloadMessage, OffloadTask } from "../../io.ts";
import { syncFileSystem } from "./libc.ts";

/** Takes the path of a directory. What fails is left to the syncs that count. */
export const flushTask: OffloadTask<OffloadMessage, OffloadMessage> = {
  name: "flush",
  start: () => ({ bytes }) => {
    try {
      const fd = openSync(new TextDecoder().decode(bytes), "r");
      try {
        syncFileSystem(fd);
      } finally {
        closeSync(fd);
      }
    } catch {
      // The directory cannot be opened, or the system has no such call.
    }
    return { bytes: new Uint8Array(0) };
  },
};
