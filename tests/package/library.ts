/**
 * The library's cases (`tests/compat/library`) on the runtime that this runs in. The suite of the npm
 * package bundles it with all imports of `client/` turned to the installed package.
 */
import process from "node:process";
import { test } from "node:test";
import { parseBroker } from "../../client/brokers.ts";
import "../../client/package/bun.ts";
import { platform } from "../../client/package/platform.ts";
import { consumerCases } from "../compat/library/consumer-cases.ts";
import { shareCases } from "../compat/library/share-cases.ts";

const broker = parseBroker(process.env["BOOTSTRAP"] ?? "localhost:9092");
if (broker === null) throw new Error("BOOTSTRAP is no broker address");
const world = { io: platform().io, brokers: [broker] };

for (const { name, run } of [...consumerCases, ...shareCases]) void test(name, () => run(world));
