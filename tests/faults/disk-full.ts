/**
 * A real file system that fills up: producers are refused with KAFKA_STORAGE_ERROR, what was
 * acknowledged stays readable, and writing resumes without a restart once there is room.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { run, runOk } from "../harness/process.ts";
import { expectEqual } from "../compat/suite.ts";

/** Runs the scenario; returns a line, or null with the reason where no file system can be mounted. */
export async function diskFull(): Promise<string> {
  const mount = freshDir("full");
  const mounted = await run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount]);
  if (mounted.exitCode !== 0) throw new Error(`needs the right to mount: ${mounted.stderr.trim()}`);
  const dataDir = join(mount, "data");
  const ballast = join(mount, "ballast");
  mkdirSync(dataDir);
  const broker = await startBrokerProcess({ dataDir });
  const produce = (value: string, timeoutMs: number) =>
    run([
      "kcat",
      "-b",
      broker.bootstrap,
      "-P",
      "-t",
      "full",
      "-X",
      `message.timeout.ms=${timeoutMs}`,
      "-X",
      "message.max.bytes=2000000",
    ], { input: value, timeoutMs: 60_000 });
  try {
    await runOk(["kcat", "-b", broker.bootstrap, "-P", "-t", "full"], { input: "before\n" });
    let size = 60 * 1024 * 1024;
    for (; size > 4096; size = Math.floor(size / 2)) {
      try {
        writeFileSync(ballast, new Uint8Array(size), { flag: "a" });
      } catch {
        // no room for a piece of this size: go on with half of it
      }
    }
    const refused = await produce(`${"x".repeat(500_000)}\n`, 3000);
    if (refused.exitCode === 0) throw new Error("a record was acknowledged on a full disk");
    const consume = async () =>
      (await runOk(
        ["kcat", "-b", broker.bootstrap, "-C", "-t", "full", "-o", "beginning", "-e", "-q"],
      )).stdout;
    expectEqual((await consume()).split("\n")[0], "before", "fetch goes on");
    rmSync(ballast);
    const resumed = await produce("after\n", 20_000);
    expectEqual(resumed.exitCode, 0, `writing resumes without a restart (${resumed.stderr})`);
    expectEqual((await consume()).trim().split("\n").at(-1), "after", "read back");
    expectEqual(await broker.stop(), 0, "clean stop");
    const again = await startBrokerProcess({ dataDir });
    expectEqual(await again.stop(), 0, "and start");
    return "refused while full, readable throughout, written again when there was room";
  } finally {
    await broker.stop("SIGKILL");
    await run(["umount", mount]);
  }
}
