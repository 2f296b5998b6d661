/** What a tab takes: the heap of its script after a collection, and the memory of its process. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";

/** Both in bytes. */
export interface TabMemory {
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** Bytes of a process that are in memory. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** What the tab takes now. Of several processes for pages that of a page that is used is the largest. */
export async function tabMemory(page: Page): Promise<TabMemory> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const heapBytes = metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? Number.NaN;
  await session.detach();
  const browser = page.context().browser();
  if (browser === null) throw new Error("the page belongs to no browser");
  const whole = await browser.newBrowserCDPSession();
  const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
  await whole.detach();
  const pids = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  return { heapBytes, residentBytes: Math.max(...pids.map(residentBytes)) };
}

/** Waits until something holds; throws if it does not within a minute. */
export async function eventually(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`it never came to be: ${holds}`);
    await Bun.sleep(100);
  }
}
