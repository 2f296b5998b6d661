/** Three members on this machine's own network: UDP and TCP as the system has them. */
import { expect, test } from "bun:test";
import { bunClock, bunDatagrams, bunIo } from "../../core/io/bun/index.ts";
import { silentLogger } from "../../core/logger.ts";
import { Gossip } from "./gossip.ts";
import type { GossipEvent } from "./member.ts";
import { TIMINGS } from "./timings.ts";

/** As `lan`, and faster, since all are here. */
const TIMES = { ...TIMINGS.lan, suspicionMultiplier: 2 };

async function start(nodeId: number, host: string): Promise<Gossip> {
  const { random, network } = bunIo();
  const gossip = new Gossip(
    { clock: bunClock, random, network, datagrams: bunDatagrams },
    {
      nodeId,
      clusterId: "c",
      label: "real",
      bind: { host, port: 0 },
      meta: { host: `h${nodeId}`, rack: null, listeners: [], version: "1", loadPercent: 0 },
      keys: [new Uint8Array(32).fill(3)],
      timings: TIMES,
    },
    silentLogger,
  );
  await gossip.start();
  return gossip;
}

/** Resolves with the next such event about a member. */
function next(gossip: Gossip, kind: GossipEvent["kind"], nodeId: number): Promise<GossipEvent> {
  return new Promise((resolve) => {
    const stop = gossip.onChange((event) => {
      if (event.kind !== kind || event.member.nodeId !== nodeId) return;
      stop();
      resolve(event);
    });
  });
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`three members at ${host} meet, and see a change, a good-bye and a crash`, async () => {
    const [one, two, three] = [await start(1, host), await start(2, host), await start(3, host)];
    expect(one.address.port).toBeGreaterThan(0);
    const met = Promise.all([next(two, "joined", 3), next(one, "joined", 3)]);
    expect(await two.join([{ host: "localhost", port: 1 }, one.address])).toBe(true);
    expect(await three.join([two.address])).toBe(true);
    await met;
    for (const gossip of [one, two, three]) {
      expect(gossip.members().map(({ nodeId }) => nodeId).sort()).toEqual([1, 2, 3]);
    }

    const updated = next(one, "updated", 2);
    const { meta } = two.members()[0]!;
    two.updateMeta({ ...meta, version: "2" });
    expect((await updated).member.meta.version).toBe("2");

    const left = next(one, "left", 3);
    await three.leave();
    three.close();
    await left;

    const failed = next(one, "failed", 2);
    two.close();
    await failed;
    expect(one.members().map(({ nodeId, state }) => [nodeId, state])).toEqual([
      [1, "alive"],
      [2, "failed"],
      [3, "left"],
    ]);
    expect(one.counters().dropped).toMatchObject({ malformed: 0, key: 0, network: 0 });
    one.close();
  }, 20_000);
}

test("a port that is taken is refused in a sentence", async () => {
  const one = await start(1, "127.0.0.1");
  const { random, network } = bunIo();
  const second = new Gossip(
    { clock: bunClock, random, network, datagrams: bunDatagrams },
    {
      nodeId: 2,
      clusterId: "c",
      label: "real",
      bind: one.address,
      meta: { host: "h", rack: null, listeners: [], version: "1", loadPercent: 0 },
    },
    silentLogger,
  );
  await expect(second.start()).rejects.toThrow(
    `gossip cannot be bound to 127.0.0.1:${one.address.port}: the port is in use: stop what uses it`,
  );
  one.close();
});
