/** Records that are made up: the first is the first item that was given, and so on. */
import { valueItems } from "../system.ts";
import type { Item, SystemKind } from "../system.ts";

export const DATAGEN: SystemKind = {
  name: "datagen",
  need: () => Promise.resolve(null),
  open() {
    const given: Item[] = [];
    const numbered = (value: string) => {
      const { number }: { readonly number: number } = JSON.parse(value);
      return given[number] ?? null;
    };
    return Promise.resolve({
      kind: "source",
      claim: "exactly-once",
      config: {
        "connector.class": "datagen",
        template: '{"number":"{{sequence}}"}',
        // More quickly than they are given: what it makes while it is away it does not make up for.
        rate: "1000",
      },
      otherConfig: { "batch.size": "7" },
      outage: null,
      setSlow: null,
      feed: (items) => {
        given.push(...items);
        return Promise.resolve();
      },
      feedBad: null,
      itemsOf: valueItems(numbered),
      close: () => Promise.resolve(),
    });
  },
};
