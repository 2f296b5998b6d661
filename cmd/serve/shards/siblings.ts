/** The shards beside this one, as their supervisor knows them: each shard's admin API tells of all. */
import { findings, type ShardHealth } from "../../../admin/health.ts";
import type { Broker } from "../../../broker/broker.ts";
import type { Clock } from "../../../core/io.ts";
import type { Parent } from "../parent.ts";
import { Fields } from "./fields.ts";
import { formatMessage, parseMessage, unready } from "./messages.ts";
import { Questions } from "./questions.ts";

/** How long the supervisor has to ask all others, who have less. */
const TIMEOUT_MS = 2000;

/** Answers the supervisor from now on; gives how the other shards are. */
export function meetSiblings(
  clock: Clock,
  parent: Parent,
  shard: string,
  running: () => { readonly broker: Broker } | null,
): () => Promise<readonly ShardHealth[]> {
  const write = (line: string) => void process.stdout.write(line);
  const questions = new Questions(clock, (ask) => write(formatMessage({ ask })));
  const own = (): ShardHealth => {
    const broker = running()?.broker;
    if (broker === undefined) return unready(shard, "it is starting");
    return { shard, findings: [...findings(broker)] };
  };
  parent.onLine((line) => {
    const message = parseMessage(new Fields(JSON.parse(line)));
    if ("ask" in message) write(formatMessage({ answer: message.ask, shards: [own()] }));
    else questions.answered(message.answer, message.shards);
  });
  return async () =>
    await questions.ask(TIMEOUT_MS) ?? [unready("the shards' supervisor", "it does not answer")];
}
