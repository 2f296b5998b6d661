/**
 * A soak of rebalances on the runtime that this runs in: members of `KIND` against the broker of
 * `BOOTSTRAP` for `SOAK_MS`. Prints what it counted. Bundled as `library.ts` is.
 */
import process from "node:process";
import { parseBroker } from "../../client/brokers.ts";
import "../../client/package/bun.ts";
import { platform } from "../../client/package/platform.ts";
import { PROTOCOLS } from "../compat/library/consumer-cases.ts";
import { rebalanceSoak } from "../compat/library/rebalance-soak.ts";

const broker = parseBroker(process.env["BOOTSTRAP"] ?? "localhost:9092");
const protocol = PROTOCOLS[process.env["KIND"] ?? ""];
if (broker === null || protocol === undefined) throw new Error("give BOOTSTRAP and KIND");
const world = { io: platform().io, brokers: [broker] };
const counts = await rebalanceSoak(world, [protocol], Number(process.env["SOAK_MS"]));
console.log(JSON.stringify(counts));
