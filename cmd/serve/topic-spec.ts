import type { NewTopic } from "../../broker/plan-topics.ts";
import { OperatorError } from "../../core/operator-error.ts";

/**
 * Reads `name[:partitions[:config=value…]]`, e.g. `orders:3:retention.ms=60000:segment.ms=1000`.
 * Whether the name and the configs are good is for the broker to say.
 */
export function parseTopicSpec(text: string): NewTopic {
  const [name = "", partitions, ...configs] = text.split(":");
  const refuse = (why: string) =>
    new OperatorError(
      `--topic cannot be read: "${text}"`,
      why,
      "write name, name:partitions or name:partitions:config=value",
      2,
    );
  if (name === "") throw refuse("it has no name");
  const hasPartitions = partitions !== undefined && partitions !== "";
  if (hasPartitions && !/^[1-9]\d{0,5}$/.test(partitions)) {
    throw refuse(`"${partitions}" is no number of partitions`);
  }
  return {
    name,
    numPartitions: hasPartitions ? Number(partitions) : -1,
    replicationFactor: -1,
    assignments: [],
    configs: configs.map((config) => {
      const equals = config.indexOf("=");
      if (equals < 1) throw refuse(`"${config}" is no config=value`);
      return { name: config.slice(0, equals), value: config.slice(equals + 1) };
    }),
  };
}
