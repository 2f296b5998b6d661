/** What the process itself takes: processor time, memory, open files. */
import { readdirSync, statSync } from "node:fs";

/** The figures of one moment. */
export interface ProcessState {
  readonly uptimeSeconds: number;
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly heapTotalBytes: number;
  readonly externalBytes: number;
  /** −1 where the system does not tell. */
  readonly openFiles: number;
  readonly contextSwitches: number;
}

/** Reads them. */
export function processState(): ProcessState {
  const usage = process.resourceUsage();
  const memory = process.memoryUsage();
  return {
    uptimeSeconds: process.uptime(),
    cpuUserSeconds: usage.userCPUTime / 1e6,
    cpuSystemSeconds: usage.systemCPUTime / 1e6,
    residentBytes: memory.rss,
    heapUsedBytes: memory.heapUsed,
    heapTotalBytes: memory.heapTotal,
    externalBytes: memory.external,
    openFiles: openFiles(),
    contextSwitches: usage.voluntaryContextSwitches + usage.involuntaryContextSwitches,
  };
}

/** Linux tells the number as the folder's size (6.2 and later); before, the entries are counted. */
function openFiles(): number {
  try {
    const size = statSync("/proc/self/fd").size;
    return size > 0 ? size : readdirSync("/proc/self/fd").length;
  } catch {
    return -1;
  }
}
