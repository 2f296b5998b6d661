/** A reset that ends half-way, on a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Admin } from "../../client/admin.ts";
import { readPositions } from "../../client/admin/positions.ts";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../../stream/dsl/builder.ts";
import { string } from "../../stream/serdes/basic-serdes.ts";
import { AppWorld } from "../../stream/runtime/app-world.test-helper.ts";
import { freshDir } from "../../tests/harness/fresh-dir.ts";
import { KeptOffsets, type PlacedOffset } from "./kept-offsets.ts";
import { execute, findGroup, makePlan } from "./reset-steps.ts";

const WISH = { inputs: null, intermediates: [], orphans: false };

test("a group that is made anew has its other offsets, also where a reset ended between", () => {
  const world = new AppWorld(1, { in: 1, other: 1 });
  const kept = new KeptOffsets(freshDir("stream-reset"), "app");
  const app = {
    applicationId: "app",
    topology: { inputs: ["in"], intermediates: [], internals: [], matches: () => null },
    ...{ stateFolder: null, snapshots: null, kept, brokers: null },
  };
  world.run(async () => {
    const { clock, brokers } = world.world;
    const builder = new TopologyBuilder();
    builder.stream("in").foreach(() => {});
    const member = world.app(builder.topology, { "group.protocol": "streams" }).app;
    await member.start();
    while (member.status().running.length === 0) await sleep(clock, 100);
    await world.write("in", [{ key: "k", value: "v" }]);
    await world.write("other", [{ key: "k", value: "v" }]);
    await sleep(clock, 5000);
    await member.close();
    const io = world.world.clientIo();
    const admin = new Admin(io, { brokers, apiTimeoutMs: 5000 });
    await admin.groups.alterOffsets("app", [{ topic: "other", partition: 0, offset: 1n }]);
    const offsets = async () => {
      const { type } = await findGroup(admin, "app");
      const all = await readPositions(admin, "app", type);
      return Object.fromEntries(all.map(({ topic, offset }) => [topic, offset]));
    };
    expect(await offsets()).toMatchObject({ other: 1 });
    const plan = async () => {
      return await makePlan(
        admin,
        app,
        await findGroup(admin, "app"),
        { kind: "start", plus: 0n },
        WISH,
      );
    };
    // The connection is gone once the group is deleted.
    const first = await plan();
    expect(first).toMatchObject({ isMadeAnew: true, lost: [] });
    const cut = {
      deleteTopics: (names: readonly string[]) => admin.deleteTopics(names),
      groups: {
        delete: async (ids: readonly string[]) => {
          const results = await admin.groups.delete(ids);
          io.network.isolate();
          return results;
        },
        alterOffsets: (group: string, all: readonly PlacedOffset[]) =>
          admin.groups.alterOffsets(group, all),
      },
    };
    expect(await execute(cut, "app", first).catch(String)).toContain("did not answer OffsetCommit");
    io.network.heal();
    expect(await offsets()).toEqual({});
    const second = await plan();
    expect(second.lost).toEqual([{ topic: "other", partition: 0, offset: 1n }]);
    await execute(admin, "app", second);
    expect(await offsets()).toEqual({ in: 0, other: 1 });
    expect(existsSync(kept.path)).toBe(false);
    admin.close();
  });
});

test("partitions that are not asked for keep their offsets, also in a group that is made anew", () => {
  const world = new AppWorld(2, { in: 2 });
  const kept = new KeptOffsets(freshDir("stream-reset"), "app");
  const topology = { inputs: ["in"], intermediates: [], internals: [], matches: () => null };
  const app = {
    applicationId: "app",
    topology,
    stateFolder: null,
    snapshots: null,
    kept,
    brokers: null,
  };
  world.run(async () => {
    const { clock, brokers } = world.world;
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).foreach(() => {});
    const member = world.app(builder.topology, { "group.protocol": "streams" }).app;
    await member.start();
    while (member.status().running.length < 2) await sleep(clock, 100);
    await world.write("in", Array.from({ length: 20 }, (_, i) => ({ key: `${i}`, value: "v" })));
    while (member.status().processed < 20) await sleep(clock, 100);
    await member.close();
    const admin = new Admin(world.world.clientIo(), { brokers, apiTimeoutMs: 5000 });
    const offsets = async () => {
      const { type } = await findGroup(admin, "app");
      return (await readPositions(admin, "app", type)).map(({ offset }) => offset);
    };
    const [, second] = await offsets();
    expect(second).toBeGreaterThan(0);
    const group = await findGroup(admin, "app");
    const wish = { ...WISH, inputs: ["in:0"] };
    const plan = await makePlan(admin, app, group, { kind: "start", plus: 0n }, wish);
    await execute(admin, "app", plan);
    expect(await offsets()).toEqual([0, second!]);
    admin.close();
  });
});
