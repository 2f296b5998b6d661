import { expect, test } from "bun:test";
import { isObject } from "../../index.ts";
import { runSource, startSource, VirtualClock } from "../../testing/index.ts";
import datagen from "./datagen.ts";
import { compileTemplate } from "./template.ts";

test("a seed makes the same records, whether in one go or begun again in between", async () => {
  const config = { topic: "t", rate: "0", count: "1000", key: "k{{sequence}}" };
  const whole = startSource(datagen, config);
  while (await whole.next() !== null);
  expect(whole.records.length).toBe(1000);
  const first = startSource(datagen, { ...config, "batch.size": "7" });
  await first.take(100);
  await first.commit(40);
  await first.stop();
  const second = startSource(datagen, config, { offsets: first.offsets });
  while (await second.next() !== null);
  const again = [...first.records.slice(0, 40), ...second.records];
  expect(again.map(({ key, value }) => [key, value]))
    .toEqual(whole.records.map(({ key, value }) => [key, value]));
  expect(whole.records[999]?.key).toBe("k999");
  const users = new Set(whole.values().map((value) => isObject(value) ? value["user"] : null));
  expect(users.size).toBeGreaterThan(500);
  const other = await runSource(datagen, { ...config, seed: "2" }, { until: 10 });
  expect(other.values()).not.toEqual(whole.values().slice(0, 10));
});

test("a key is drawn apart from the value", async () => {
  const config = { topic: "t", rate: "0", key: "{{int 1 9}}", template: '{"n":"{{int 1 9}}"}' };
  const { records } = await runSource(datagen, config, { until: 100 });
  const pairs = new Set(records.map(({ key, value }) => JSON.stringify([key, value])));
  expect(pairs.size).toBeGreaterThan(40);
});

test("the rate is kept", async () => {
  const clock = new VirtualClock();
  const fromMs = clock.monotonicMs();
  const run = await runSource(datagen, { topic: "t", rate: "50" }, { until: 501, clock });
  expect(run.records.length).toBe(501);
  expect(clock.monotonicMs() - fromMs).toBeGreaterThanOrEqual(10_000);
  expect(clock.monotonicMs() - fromMs).toBeLessThan(10_100);
  const slow = startSource(datagen, { topic: "t", rate: "0.05" }, { clock });
  await slow.take(1);
  const atMs = clock.monotonicMs();
  await slow.take(1);
  expect(clock.monotonicMs() - atMs).toBe(20_000);
});

test("templates make typed values, and faults are named", () => {
  const make = compileTemplate(
    '{"a":"{{int 3 3}}","b":"x{{int 3 3}}","c":[true,null,"{{boolean 1}}"],"__proto__":"{{time 5 2}}",' +
      '"u":"{{uuid}}","h":"{{hex 20}}","n":"{{now}}"}',
  );
  const value = make(4, 99, 1);
  if (!isObject(value)) throw new Error("no object");
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(Object.getOwnPropertyDescriptor(value, "__proto__")?.value).toBe(13);
  expect(value).toMatchObject({ a: 3, b: "x3", c: [true, null, true], n: 99 });
  expect(value["u"]).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(value["h"]).toMatch(/^[0-9a-f]{20}$/);
  expect(() => compileTemplate('{"a":"{{inte 1 2}}"}')).toThrow("which is none of");
  expect(() => compileTemplate("{{int 1}}")).toThrow("is written {{int MIN MAX}}");
  expect(() => compileTemplate("{{int 2 1}}")).toThrow("the second is less");
  expect(() => compileTemplate('{"a":')).toThrow("must be JSON");
  expect(() => startSource(datagen, { topic: "t", template: "{{constructor}}" })).toThrow(
    '"template" has {{constructor}}',
  );
});
