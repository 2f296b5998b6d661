/** What the definitions of mirrors have in common. */
import { Admin } from "../../../client/index.ts";
import { FieldError } from "../../index.ts";
import type { SourceMap } from "../../index.ts";
import { clusterOptions } from "./cluster-fields.ts";
import { io, sourceOptions } from "./clients.ts";
import type { BaseConfig } from "./fields.ts";

/** Less than `validate` waits, so that it is told who does not answer. */
const PROBE_MS = 8000;

/** Clusters that cannot be told apart or reached. */
export function baseProblems(config: BaseConfig): { field: string; message: string }[] {
  const problems: { field: string; message: string }[] = [];
  if (config["source.cluster.alias"] === config["target.cluster.alias"]) {
    const field = "target.cluster.alias";
    const message = `"${field}" has to be another than "source.cluster.alias"`;
    problems.push({ field, message });
  }
  for (const side of ["source", "target"] as const) {
    try {
      clusterOptions(config, side);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      problems.push({ field: `${side}.cluster.security.protocol`, message: error.message });
    }
  }
  return problems;
}

/** Whether the source answers and lets us list topics. */
export async function probeSource(config: BaseConfig, signal: AbortSignal): Promise<void> {
  const admin = new Admin(io, { ...sourceOptions(config), apiTimeoutMs: PROBE_MS });
  try {
    await admin.listTopics({ signal });
  } finally {
    admin.close();
  }
}

/** Refuses offsets that nothing was read of. */
export function checkOffsets(
  positions: readonly { partition: SourceMap; offset: SourceMap | null }[],
  keys: readonly string[],
): void {
  for (const { partition, offset } of positions) {
    for (const key of keys) {
      if (partition[key] === undefined) throw new Error(`a partition has to have "${key}"`);
    }
    const at = offset?.["offset"];
    if (offset !== null && !(Number.isSafeInteger(at) && Number(at) >= 0)) {
      throw new Error('an offset has to be {"offset": N}, N being a whole number from 0 on');
    }
  }
}
