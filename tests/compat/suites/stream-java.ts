/**
 * One application by turns in Java and in ours, on the same topics: each goes on from the offsets, the
 * topics between and the changelogs that the other has left, also where the other was killed.
 */
import { needJavaPrograms } from "../java-programs.ts";
import { javaStores } from "../streams-shared/members.ts";
import { endWell, killAtWork, withShop } from "../streams-shared/scene.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const SALES = 2000;

/** What one has kept, the other has restored, with its times; what came since is besides. */
async function restored(): Promise<void> {
  await withShop(async ({ shop, java, ours, oursHold }) => {
    await shop.sell(SALES / 2);
    const theirs = java("java");
    await shop.awaitAll();
    const javaHad = await javaStores(theirs);
    await endWell(theirs, "stop");
    const members = ours("ours");
    const later = Array.from({ length: 20 }, (_, i) => `later-${i}`);
    await shop.sell(later.length, later);
    await shop.awaitAll();
    await endWell(members, "SIGINT");
    const oursHad = await oursHold("ours");
    const ofBefore = oursHad.filter((entry) => !entry.includes(" later-"));
    expectEqual(ofBefore, javaHad, "what ours has restored");
    expectEqual(oursHad.length > ofBefore.length, true, "there is more by now");
    for (const state of ["java", "java-anew"]) {
      const again = java(state);
      await again.says("state RUNNING");
      expectEqual(await javaStores(again), oursHad, `what Java has restored, ${state}`);
      await endWell(again, "stop");
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
    await endWell(fourth, "SIGINT");
    const last = java("java-anew");
    await last.says("state RUNNING");
    expectEqual(await javaStores(last), await oursHold("ours"), "what Java has restored");
    await endWell(last, "stop");
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
    await endWell(first, "stop");
    const second = ours("ours");
    await shop.sell(SALES / 10);
    await shop.awaitAll();
    const stranger = java("stranger");
    await stranger.says(/^error .*InconsistentGroupProtocol/);
    await shop.sell(SALES / 10);
    await shop.awaitAll();
    await endWell(second, "SIGINT");
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
