/** `kstream produce` and `consume` against kcat, on a file of short lines. */
import { join } from "node:path";
import { freshDir, KSTREAM } from "../tests/harness/broker-process.ts";
import { runOk } from "../tests/harness/process.ts";
import { ratios } from "./measure.ts";
import { startOurs } from "./targets.ts";
import { createTopic, deleteTopic } from "./workloads.ts";

async function makeFile(path: string, bytes: number): Promise<void> {
  const writer = Bun.file(path).writer();
  let block = "";
  for (let index = 0; index < 20_000; index++) {
    block += `2026-01-01T00:00:00Z level=info id=${index} GET /items/${index * 7}\n`;
  }
  for (let written = 0; written < bytes; written += block.length) writer.write(block);
  await writer.end();
}

async function seconds(command: string): Promise<number> {
  const start = performance.now();
  await runOk(["bash", "-c", command], { timeoutMs: 600_000 });
  return (performance.now() - start) / 1000;
}

/** Ratios of wall time, kcat's over ours: above 1 we are faster. */
export async function commands(pairs: number, scale: number): Promise<unknown> {
  const file = join(freshDir("lines"), "lines");
  await makeFile(file, 1e9 * scale);
  const target = await startOurs("os");
  const ours = { produce: [] as number[], consume: [] as number[] };
  const kcat = { produce: [] as number[], consume: [] as number[] };
  const b = target.bootstrap;
  try {
    for (let pair = 0; pair < pairs; pair++) {
      await createTopic(target, "ours", 1);
      await createTopic(target, "kcat", 1);
      ours.produce.push(await seconds(`${KSTREAM} produce ours -b ${b} < ${file}`));
      kcat.produce.push(await seconds(`kcat -P -b ${b} -t kcat < ${file}`));
      ours.consume.push(await seconds(`${KSTREAM} consume ours -e -b ${b} > /dev/null`));
      kcat.consume.push(
        await seconds(`kcat -C -b ${b} -t ours -o beginning -e -q > /dev/null`),
      );
      await deleteTopic(target, "ours");
      await deleteTopic(target, "kcat");
      console.log(
        `produce ${ours.produce.at(-1)?.toFixed(2)} s, kcat ${
          kcat.produce.at(-1)?.toFixed(2)
        } s; ` +
          `consume ${ours.consume.at(-1)?.toFixed(2)} s, kcat ${kcat.consume.at(-1)?.toFixed(2)} s`,
      );
    }
    return {
      seconds: { ours, kcat },
      produce: ratios(kcat.produce, ours.produce),
      consume: ratios(kcat.consume, ours.consume),
    };
  } finally {
    await target.stop();
    await runOk(["rm", "-f", file]);
  }
}
