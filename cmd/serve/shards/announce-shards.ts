/** How `serve --shards` tells people and scripts where the shards serve, once all do. */
import type { BrokerConfig } from "../../../broker/config/broker-config.ts";
import { formatAddress } from "../../../broker/listeners.ts";
import { durableOf, MEANING, writeReadyLines } from "../announce.ts";
import { dataDirsOf } from "../config-texts.ts";
import type { ServeOptions } from "../../serve.ts";
import type { ShardAddresses, ShardProcess } from "./shard-process.ts";

/** A shard that serves. */
export interface ServingShard {
  readonly nodeId: number;
  readonly process: Pick<ShardProcess, "name" | "pid">;
  readonly at: ShardAddresses;
}

/** Tells it as the flags want it. */
export function announceShards(
  { printAddr, readyFile }: Pick<ServeOptions, "printAddr" | "readyFile">,
  version: string,
  config: BrokerConfig,
  shards: readonly ServingShard[],
): void {
  const text = shardsBanner(version, config, shards);
  // Standard output belongs to the script that asked for JSON.
  if (printAddr === "json") {
    process.stderr.write(text);
    process.stdout.write(`${shardsJson(shards)}\n`);
  } else {
    process.stdout.write(text);
  }
  if (readyFile === undefined) return;
  writeReadyLines(readyFile, [
    ...shards.flatMap(({ at }) => at.addresses.map(formatAddress)),
    ...shards.flatMap(({ at }) => at.admin ?? []),
  ]);
}

/** The screenful at the start. */
export function shardsBanner(
  version: string,
  config: BrokerConfig,
  shards: readonly ServingShard[],
): string {
  const [first] = shards;
  const address = first?.at.addresses[0];
  const lines = [
    `kstream ${version} serves Kafka's protocol from ${shards.length} shards`,
    "",
    ...shards.map(({ process: { name, pid }, at: { addresses, admin } }) => {
      const where = addresses.map((each) =>
        addresses.length > 1 ? `${each.listener} ${formatAddress(each)}` : formatAddress(each)
      );
      const also = admin === null ? "" : `, admin ${admin}`;
      return `  ${name.padEnd(16)}${where.join(", ")}${also}, process ${pid}`;
    }),
    `  data            ${dataDirsOf(config).join(", ")}`,
    `  acknowledged    ${MEANING[durableOf(config)]}`,
    "",
    `  try             kstream cluster status -b ${
      address === undefined ? "" : formatAddress(address)
    }`,
    "",
  ];
  return lines.join("\n");
}

/** As `addressJson`, of all shards together and of each: `{"addresses":[…],"admin":…,"shards":[…]}`. */
export function shardsJson(shards: readonly ServingShard[]): string {
  return JSON.stringify({
    addresses: shards.flatMap(({ at }) => at.addresses),
    admin: shards[0]?.at.admin ?? null,
    shards: shards.map(({ nodeId, process: { name, pid }, at }) => ({ name, nodeId, pid, ...at })),
  });
}
