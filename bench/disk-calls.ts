/**
 * What the choices of the log engine rest on: the cost of a 4 KB write by a synchronous call and
 * through the thread pool, and of making 100 logs durable, each of which has 1 KB of new records,
 * by syncfs and by one fdatasync per log. `bun bench/disk-calls.ts [DIR]` prints medians as JSON;
 * DIR should lie on the device in question. Linux only.
 */
import { dlopen, FFIType } from "bun:ffi";
import * as fs from "node:fs";
import { join } from "node:path";
import { freshDir } from "../tests/harness/broker-process.ts";
import { spread } from "./measure.ts";

const WRITE_BYTES = 4096;
const FILE_BYTES = 1024 * 1024;
const WRITES = 10_000;
const LOGS = 100;
const RECORD_BYTES = 1000;
const ROUNDS = 15;

/** Calls back with an error or nothing, as the functions of node:fs do. */
type Callback = (error: Error | null) => void;

function promised(call: (done: Callback) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => error ? reject(error) : resolve()));
}

async function medianMs(rounds: number, work: () => void | Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const start = performance.now();
    await work();
    if (round >= 0) times.push(performance.now() - start);
  }
  return spread(times).median;
}

async function writes(dir: string): Promise<Record<string, number>> {
  const fd = fs.openSync(join(dir, "writes"), "w+");
  const bytes = new Uint8Array(WRITE_BYTES);
  const at = (index: number) => index * WRITE_BYTES % FILE_BYTES;
  const syncMs = await medianMs(5, () => {
    for (let i = 0; i < WRITES; i++) fs.writeSync(fd, bytes, 0, WRITE_BYTES, at(i));
  });
  const poolMs = await medianMs(5, async () => {
    for (let i = 0; i < WRITES; i++) {
      await promised((done) => fs.write(fd, bytes, 0, WRITE_BYTES, at(i), done));
    }
  });
  fs.closeSync(fd);
  const micros = (ms: number) => Math.round(ms * 10_000 / WRITES) / 10;
  return { writeSyncMicros: micros(syncMs), writePoolMicros: micros(poolMs) };
}

async function syncs(dir: string): Promise<Record<string, number>> {
  const { symbols } = dlopen("libc.so.6", {
    syncfs: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const fds = Array.from({ length: LOGS }, (_, index) => {
    fs.mkdirSync(join(dir, `log-${index}`));
    return fs.openSync(join(dir, `log-${index}`, "log"), "a");
  });
  const record = new Uint8Array(RECORD_BYTES);
  const appendAll = () => fds.forEach((fd) => void fs.writeSync(fd, record));
  const appendMs = await medianMs(ROUNDS, appendAll);
  const syncfsMs = await medianMs(ROUNDS, () => {
    appendAll();
    if (symbols.syncfs(fds[0]!) !== 0) throw new Error("syncfs failed");
  });
  const fdatasyncMs = await medianMs(ROUNDS, async () => {
    appendAll();
    await Promise.all(fds.map((fd) => promised((done) => fs.fdatasync(fd, done))));
  });
  for (const fd of fds) fs.closeSync(fd);
  const rounded = (ms: number) => Math.round((ms - appendMs) * 10) / 10;
  return { syncfsMs: rounded(syncfsMs), fdatasyncMs: rounded(fdatasyncMs) };
}

const parent = process.argv[2];
const dir = parent === undefined ? freshDir("disk") : fs.mkdtempSync(join(parent, "kstream-disk-"));
try {
  console.log(JSON.stringify({ ...await writes(dir), ...await syncs(dir) }));
} finally {
  fs.rmSync(dir, { recursive: true, force: true });
}
