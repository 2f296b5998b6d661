/**
 * One application by turns in Java and in ours, on the same topics: each goes on from the offsets, the
 * topics between and the changelogs that the other has left, also where the other was killed.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../../harness/broker-process.ts";
import { needJavaPrograms, SOON } from "../java-programs.ts";
import {
  javaMember,
  javaStores,
  type Member,
  ourMember,
  ourStores,
} from "../streams-shared/members.ts";
import { Shop, SHOP_APP } from "../streams-shared/shop.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";
import { withTarget } from "../target.ts";

const SALES = 2000;
/** Offsets of markers in a topic between, that nobody has to process. */
const MARKERS_MAX = 10;

interface Scene {
  readonly shop: Shop;
  java(state: string): Member;
  ours(state: string): Member;
  oursHold(state: string): Promise<string[]>;
}

async function withShop(body: (scene: Scene) => Promise<void>): Promise<void> {
  await withTarget(async ({ bootstrap }) => {
    const dir = freshDir("stream-java");
    const app = join(dir, "shop.ts");
    writeFileSync(app, SHOP_APP);
    const shop = await Shop.open(bootstrap);
    const members: Member[] = [];
    const begun = (member: Member) => {
      members.push(member);
      return member;
    };
    try {
      await body({
        shop,
        java: (state) => begun(javaMember(bootstrap, join(dir, state))),
        ours: (state) => begun(ourMember(bootstrap, app, join(dir, state))),
        oursHold: (state) => ourStores(app, join(dir, state)),
      });
    } catch (error) {
      const said = members.map((member, at) => `── member ${at}:\n${member.said}`).join("\n");
      throw new Error(`${error instanceof Error ? error.stack : error}\n${said}`);
    } finally {
      for (const member of members) await member.kill();
      await shop.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }, SOON);
}

/** Ends it in good order, out of its group. */
async function end(member: Member, how: "stop" | "SIGINT"): Promise<void> {
  if (how === "stop") member.tell("stop");
  else member.interrupt();
  expectEqual(await member.exitCode(), 0, "exit code");
}

/** Kills it in the middle of its work: what it has sent through topics is there for the other. */
async function killAtWork(shop: Shop, member: Member): Promise<void> {
  await shop.awaitProgress();
  await member.kill();
  for (const [topic, offsets] of await shop.unprocessed()) {
    if (offsets <= MARKERS_MAX) throw new Error(`${topic} has nothing for the other: ${offsets}`);
  }
  await shop.awaitEmptyGroup();
}

/** What one has kept, the other has restored, with its times; what came since is besides. */
async function restored(): Promise<void> {
  await withShop(async ({ shop, java, ours, oursHold }) => {
    await shop.sell(SALES / 2);
    const theirs = java("java");
    await shop.awaitAll();
    const javaHad = await javaStores(theirs);
    await end(theirs, "stop");
    const members = ours("ours");
    const later = Array.from({ length: 20 }, (_, i) => `later-${i}`);
    await shop.sell(later.length, later);
    await shop.awaitAll();
    await end(members, "SIGINT");
    const oursHad = await oursHold("ours");
    const ofBefore = oursHad.filter((entry) => !entry.includes(" later-"));
    expectEqual(ofBefore, javaHad, "what ours has restored");
    expectEqual(oursHad.length > ofBefore.length, true, "there is more by now");
    for (const state of ["java", "java-anew"]) {
      const again = java(state);
      await again.says("state RUNNING");
      expectEqual(await javaStores(again), oursHad, `what Java has restored, ${state}`);
      await end(again, "stop");
    }
    await shop.requireExact();
  });
}

/** Each takes over from the other that was killed. */
async function byTurns(): Promise<void> {
  await withShop(async ({ shop, java, ours, oursHold }) => {
    await shop.sell(SALES);
    await killAtWork(shop, java("java"));
    const second = ours("ours");
    await shop.sell(SALES);
    await killAtWork(shop, second);
    const third = java("java");
    await shop.sell(SALES);
    await killAtWork(shop, third);
    const fourth = ours("ours");
    await shop.awaitAll();
    await end(fourth, "SIGINT");
    const last = java("java-anew");
    await last.says("state RUNNING");
    expectEqual(await javaStores(last), await oursHold("ours"), "what Java has restored");
    await end(last, "stop");
    await shop.requireExact();
  });
}

/** Their assignors differ: who comes second is told so, and the first goes on. */
async function together(): Promise<void> {
  await withShop(async ({ shop, java, ours }) => {
    await shop.sell(SALES / 10);
    const first = java("java");
    await shop.awaitAll();
    const refused = ours("ours");
    expectEqual(await refused.exitCode(), 1, "exit code of ours beside Java");
    expectContains(refused.said, "as applications in Java", "ours beside Java");
    await shop.sell(SALES / 10);
    await shop.awaitAll();
    await end(first, "stop");
    const second = ours("ours");
    await shop.sell(SALES / 10);
    await shop.awaitAll();
    const stranger = java("stranger");
    await stranger.says(/^error .*InconsistentGroupProtocol/);
    await shop.sell(SALES / 10);
    await shop.awaitAll();
    await end(second, "SIGINT");
    await shop.requireExact();
  });
}

export const streamJava: CompatSuite = {
  name: "stream-java",
  needs: [needJavaPrograms],
  inSample: false,
  control: true,
  cases: [
    { name: "stores are restored from the other's changelogs", run: restored },
    { name: "three times killed, each taking over from the other", run: byTurns },
    { name: "members of both at once are refused", run: together },
  ],
};
