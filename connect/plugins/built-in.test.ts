import { expect, test } from "bun:test";
import { BUILT_IN } from "./built-in.ts";

test("the list says what definitions say, and every field is explained in a sentence", async () => {
  expect(BUILT_IN.map(({ name }) => name)).toEqual(BUILT_IN.map(({ name }) => name).toSorted());
  for (const entry of BUILT_IN) {
    const definition = await entry.load();
    expect(definition).toMatchObject({ name: entry.name, kind: entry.kind });
    expect(definition.aliases ?? []).toEqual(entry.aliases);
    expect(definition.needs).toBe(entry.needs);
    expect(definition.doc).toMatch(/^[A-Z].*[.)]$/s);
    for (const [name, { parts }] of Object.entries(definition.config)) {
      expect(`${name}: ${parts.doc}`).toMatch(/: .{15,}\.$/s);
    }
  }
});
