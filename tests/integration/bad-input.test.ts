/** Every malformed or out-of-order request of the table gets Apache Kafka's own error code. */
import { expect, test } from "bun:test";
import { wrongAnswers } from "../compat/differential/bad-input/index.ts";
import { OUR_ARGS } from "../compat/differential/brokers.ts";
import { Player } from "../compat/differential/player.ts";
import { withBroker } from "../harness/broker-process.ts";

test("bad input is refused with Kafka's codes, API by API", async () => {
  await withBroker(async ({ bootstrap }) => {
    expect(await wrongAnswers(await Player.open(bootstrap), "bad-")).toEqual([]);
  }, { args: OUR_ARGS });
}, 60_000);
