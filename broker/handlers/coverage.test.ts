/** Every API that Kafka 4.4 serves to clients of a broker is served, at every version it lists. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import messages from "../../tests/fixtures/messages.json";
import { ApiTable } from "../api-table.ts";
import { handlers } from "./index.ts";

/** What the schemas say of a request. */
interface KafkaRequest {
  readonly type: string;
  readonly name: string;
  readonly apiKey?: number;
  readonly listeners?: readonly string[];
  readonly validVersions: string;
  readonly latestVersionUnstable?: boolean;
}

/** Keys that are being built, and not looked at until they are gone from here. */
const TO_COME: readonly number[] = [];

const requests = (messages as unknown as readonly KafkaRequest[])
  .filter(({ type, listeners }) => type === "request" && listeners?.includes("broker") === true);
const table = new ApiTable(handlers);
const deviations = readFileSync(`${import.meta.dir}/../../docs/deviations.md`, "utf8");

/** Whether a heading of an API in the page of deviations names this key: `**Name (17)**`. */
function isNamedInDeviations(key: number): boolean {
  return [...deviations.matchAll(/\*\*[A-Z][^*]*\(([\d, –]+)\)\*\*/g)].some(([, keys = ""]) =>
    keys.split(/, ?/).some((part) => {
      const [first = NaN, last = first] = part.split("–").map(Number);
      return first <= key && key <= last;
    })
  );
}

test("the schemas name the 79 APIs of brokers", () => {
  expect(requests).toHaveLength(79);
});

describe("served at every version that Kafka lists", () => {
  for (const { apiKey = -1, name, validVersions, latestVersionUnstable } of requests) {
    test(`${apiKey} ${name}`, () => {
      const served = table.get(apiKey);
      if (TO_COME.includes(apiKey)) return;
      if (served === undefined) {
        expect([name, isNamedInDeviations(apiKey)]).toEqual([name, true]);
        return;
      }
      const [min = 0, max = min] = validVersions.split("-").map(Number);
      const stableMax = latestVersionUnstable === true ? max - 1 : max;
      // Kafka lists Produce from 0 on, because librdkafka wants that (KAFKA-18659).
      expect([served.minVersion, served.maxVersion]).toEqual([min, stableMax]);
    });
  }
});
