/** Applications of ours with `group.protocol=streams`: the broker shares tasks out. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runOk } from "../../harness/process.ts";
import { freshDir, KSTREAM } from "../../harness/broker-process.ts";
import { needJavaPrograms } from "../java-programs.ts";
import { endWell, type Scene, withShop } from "../streams-shared/scene.ts";
import { SHOP_APP } from "../streams-shared/shop.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const SALES = 2000;
const STREAMS = { "group.protocol": "streams" };
/** Three of by-product, names and sales, five of spread. */
const TASKS = 14;
const PATIENCE_MS = 60_000;

interface DescribedMember {
  readonly tasks: { readonly active: readonly { readonly partitions: readonly number[] }[] };
}

/** How many tasks each member has, once that is as wanted. */
async function awaitShares(
  { bootstrap }: Scene,
  isWanted: (shares: readonly number[]) => boolean,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const command = [KSTREAM, "group", "describe", "shop", "--json", "-b", bootstrap];
    const { stdout, exitCode } = await run(command);
    const members: DescribedMember[] = exitCode === 0 ? JSON.parse(stdout)[0].members : [];
    const shares = members.map(({ tasks }) =>
      tasks.active.reduce((sum, { partitions }) => sum + partitions.length, 0)
    );
    if (isWanted(shares)) return;
    if (Date.now() > deadline) throw new Error(`tasks of members: ${shares.join(", ")}\n${stdout}`);
    await Bun.sleep(200);
  }
}

const areShared = (shares: readonly number[]) =>
  shares.length === 2 && shares[0] === TASKS / 2 && shares[1] === TASKS / 2;

/** Two share, one is killed in the middle, and comes again. */
async function killed(): Promise<void> {
  await withShop(async (scene) => {
    const { shop, ours } = scene;
    const one = ours("one", STREAMS);
    const other = ours("other", STREAMS);
    await awaitShares(scene, areShared);
    await shop.sell(SALES);
    await shop.awaitProgress();
    await other.kill();
    await shop.sell(SALES);
    await awaitShares(scene, (shares) => shares.length === 1 && shares[0] === TASKS);
    const again = ours("other", STREAMS);
    await awaitShares(scene, areShared);
    await shop.sell(SALES);
    await shop.awaitAll();
    const command = [KSTREAM, "group", "describe", "shop", "-b", scene.bootstrap];
    expectContains((await runOk(command)).stdout, /streams/, "description");
    await endWell(one, "SIGINT");
    await endWell(again, "SIGINT");
    await shop.requireExact();
  });
}

/** A group goes on with the other protocol while it is empty, with its offsets and its state. */
async function migrated(): Promise<void> {
  await withShop(async ({ shop, ours }) => {
    for (const settings of [{}, STREAMS, {}, STREAMS]) {
      await shop.sell(SALES / 10);
      const member = ours("ours", settings);
      await shop.awaitAll();
      await endWell(member, "SIGINT");
      await shop.awaitEmptyGroup();
    }
    await shop.requireExact();
  });
}

/** The topology of a group stays while it is empty: made anew with its offsets it takes another. */
async function changed(): Promise<void> {
  await withShop(async (scene) => {
    const { shop, ours, bootstrap } = scene;
    await shop.sell(SALES / 10);
    const before = ours("ours", STREAMS);
    await shop.awaitAll();
    await endWell(before, "SIGINT");
    const source = SHOP_APP.replace(
      'sales.repartition("spread"',
      'sales.groupByKey().count("by-till");\nsales.repartition("spread"',
    );
    await shop.sell(SALES / 10);
    const refused = ours("ours", STREAMS, source);
    expectEqual(await refused.exitCode(), 1, "exit code with another topology");
    expectContains(refused.said, "does not take its topology", "another topology");
    const group = (...args: string[]) =>
      runOk([KSTREAM, "group", ...args, "-b", bootstrap]).then(({ stdout }) => stdout);
    const offsets = join(freshDir("offsets"), "offsets.json");
    writeFileSync(offsets, await group("describe", "shop", "--json"));
    await group("delete", "shop");
    await group("seek", "shop", "--create", "--to-file", offsets, "--execute");
    const after = ours("ours", STREAMS, source);
    await shop.awaitAll();
    await endWell(after, "SIGINT");
    await shop.requireExact();
  });
}

/** The broker shares out, so that members in Java and ours are in one group. */
async function mixed(): Promise<void> {
  await withShop(async (scene) => {
    const { shop, ours, java } = scene;
    const theirs = java("java", STREAMS);
    await theirs.says("state RUNNING");
    const one = ours("ours", STREAMS);
    await awaitShares(scene, areShared);
    await shop.sell(SALES);
    await shop.awaitProgress();
    await theirs.kill();
    await awaitShares(scene, (shares) => shares.length === 1 && shares[0] === TASKS);
    await shop.sell(SALES);
    const again = java("java", STREAMS);
    await awaitShares(scene, areShared);
    await shop.awaitAll();
    await one.kill();
    await shop.sell(SALES / 10);
    await shop.awaitAll();
    await endWell(again, "stop");
    await shop.requireExact();
    expectEqual(await theirs.exitCode() === 0, false, "it was killed");
  });
}

export const streamGroups: CompatSuite = {
  name: "stream-groups",
  needs: [needJavaPrograms],
  inSample: false,
  control: true,
  cases: [
    { name: "two members share, one is killed and comes again", run: killed },
    { name: "from classic to streams and back, with offsets and state", run: migrated },
    { name: "another topology, with the offsets of before", run: changed },
    { name: "members in Java and ours in one group", run: mixed },
  ],
};
