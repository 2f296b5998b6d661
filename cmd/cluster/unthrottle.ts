/** `kstream cluster unthrottle`: what `--throttle` of an interrupted command has left is taken away. */
import { type AdminOptions, withAdmin } from "../admin-command.ts";
import { count, print, printJson } from "../output.ts";
import { waitForMoves } from "./moves.ts";
import { changeReplicas, liftRates } from "./throttle.ts";

/** Topics that are looked at together. */
const AT_ONCE = 20;

/** Options of `cluster unthrottle`. */
export interface UnthrottleOptions extends AdminOptions {
  readonly wait: boolean;
  readonly json?: boolean | undefined;
}

/** Takes away all rates and lists, once nothing moves any more. */
export async function unthrottle(options: UnthrottleOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    if (options.wait && !await waitForMoves(admin)) return;
    const [{ brokers }, topics] = await Promise.all([
      admin.describeCluster(),
      admin.listTopics({ internal: true }),
    ]);
    const freed: { brokers: number[]; topics: string[] } = { brokers: [], topics: [] };
    for (const { nodeId } of brokers) {
      if (await liftRates(admin, nodeId)) freed.brokers.push(nodeId);
    }
    for (let start = 0; start < topics.length; start += AT_ONCE) {
      const some = topics.slice(start, start + AT_ONCE);
      const changed = await Promise.all(
        some.map(({ name }) => changeReplicas(admin, name, () => [])),
      );
      freed.topics.push(...some.filter((_, at) => changed[at]).map(({ name }) => name));
    }
    if (options.json) return await printJson(freed);
    const isNone = freed.brokers.length === 0 && freed.topics.length === 0;
    const what = `${count(freed.brokers.length, "broker")}, ${count(freed.topics.length, "topic")}`;
    await print(isNone ? "nothing was throttled\n" : `no longer throttled: ${what}\n`);
  });
}
