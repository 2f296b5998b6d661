/**
 * Records of a partition into Redis, each once: a script makes their commands and notes the offset
 * behind them in one step, and does so only if the offset noted is the one that is expected. So
 *
 *     an answer is lost      what was made is seen from the offset, and left out when tried again
 *     another task writes    whoever comes second sees that it is done
 *     Redis has lost writes  the offset went back with them: the task begins anew, at that offset
 */
import type { RedisConnection, Reply } from "./connection.ts";
import type { Command } from "./sink-commands.ts";

/**
 * KEYS: the hash of offsets. ARGV: the partition, the offset expected (empty: none), then of each
 * command: the offset behind it (empty: others of the same record follow), how many parts it has, and
 * these; a record without commands has one without parts. Answers how it went, the offset noted, and
 * of a refusal the number of the command from 0 on and what Redis has said.
 */
const SCRIPT = `
local noted = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if noted ~= ARGV[2] then return {'other', noted} end
local at, number, done = 3, 0, noted
while at <= #ARGV do
  local behind, count = ARGV[at], tonumber(ARGV[at + 1])
  if count > 0 then
    local answer = redis.pcall(unpack(ARGV, at + 2, at + 1 + count))
    if type(answer) == 'table' and answer.err then
      if done ~= noted then redis.call('HSET', KEYS[1], ARGV[1], done) end
      return {'refused', done, number, answer.err}
    end
  end
  if behind ~= '' then done = behind end
  number = number + 1
  at = at + 2 + count
end
if done ~= noted then redis.call('HSET', KEYS[1], ARGV[1], done) end
return {'done', done}
`;

/** A record on its way: what it asks for, none if it is left out. */
export interface Step {
  readonly offset: bigint;
  readonly commands: readonly Command[];
}

export type Outcome =
  | { readonly kind: "done" }
  /** The offset noted is not the one expected, empty if there is none. */
  | { readonly kind: "other"; readonly noted: string }
  /** `step` cannot be made, those before are. */
  | {
    readonly kind: "refused";
    readonly step: number;
    readonly noted: string;
    readonly why: string;
  };

/** Makes the steps. Throws as `send` does: then nothing is known of them. */
export async function makeSteps(
  connection: RedisConnection,
  offsetsKey: string,
  partition: string,
  expected: string,
  steps: readonly Step[],
): Promise<Outcome> {
  const args: (string | Buffer)[] = [];
  const stepOf: number[] = [];
  for (const [index, { offset, commands }] of steps.entries()) {
    const all = commands.length === 0 ? [[]] : commands;
    for (const [i, command] of all.entries()) {
      stepOf.push(index);
      const behind = i === all.length - 1 ? String(offset + 1n) : "";
      args.push(behind, String(command.length), ...command);
    }
  }
  const reply = await connection.send([
    "EVAL",
    SCRIPT,
    "1",
    offsetsKey,
    partition,
    expected,
    ...args,
  ]);
  return outcomeOf(reply, stepOf);
}

function outcomeOf(reply: Reply, stepOf: readonly number[]): Outcome {
  const [kind, noted, number, why] = Array.isArray(reply) ? reply.map(String) : [];
  switch (kind) {
    case "done":
      return { kind };
    case "other":
      return { kind, noted: noted ?? "" };
    case "refused":
      return { kind, noted: noted ?? "", step: stepOf[Number(number)] ?? 0, why: why ?? "" };
    default:
      throw new Error("the script answers with what it never says");
  }
}
