/** What `serve --timings lan` promises: who has gone silent is replaced within its session and 2 s. */
import { leaderOf } from "./cluster-topic.ts";
import type { Scenario, Stage } from "./stage.ts";

export const LAN_ARGS = ["--timings", "lan"];

/** The session of 3 s, and 2 s more. */
const ANOTHER_LEADS_MS = 5000;
const POLL_MS = 50;

export const LAN_FAULTS: readonly Scenario[] = [
  {
    name: "a leader that sleeps",
    pauseMaxMs: ANOTHER_LEADS_MS,
    async run(stage) {
      const leader = await stage.leader();
      leader.freeze();
      await anotherLeads(stage, leader.nodeId);
      await stage.steady();
      leader.resume();
    },
  },
];

/** Waits until the other brokers say that one of them leads. Throws if that takes too long. */
async function anotherLeads({ scene, topic }: Stage, nodeId: number): Promise<void> {
  const startMs = performance.now();
  const others = scene.brokers.filter((broker) => broker.nodeId !== nodeId);
  const bootstrap = others.map(({ address }) => address);
  for (;;) {
    const leader = await leaderOf(scene, topic, bootstrap);
    const waitedMs = performance.now() - startMs;
    if (waitedMs > ANOTHER_LEADS_MS) throw new Error(`${nodeId} leads after ${waitedMs} ms`);
    if (leader !== nodeId && leader >= 0) return;
    await Bun.sleep(POLL_MS);
  }
}
