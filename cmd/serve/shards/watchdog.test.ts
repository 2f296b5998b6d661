/** Shards that are asked how they are, and what comes of those that do not answer. */
import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import type { ShardHealth } from "../../../admin/health.ts";
import { HandClock } from "../../../broker/hand-clock.test-helper.ts";
import { Parent } from "../parent.ts";
import { Fields } from "./fields.ts";
import { formatMessage, type Message, parseMessage, unready } from "./messages.ts";
import { Questions } from "./questions.ts";
import { watchShards } from "./watchdog.ts";

const turn = () => new Promise(setImmediate);
const FINE: readonly ShardHealth[] = [{ shard: "shard-1", findings: [] }];

test("who asks while a question is under way waits for the same answer", async () => {
  const clock = new HandClock();
  const sent: number[] = [];
  const questions = new Questions(clock, (id) => sent.push(id));
  const [first, second] = [questions.ask(1000), questions.ask(1000)];
  questions.answered(99, []);
  questions.answered(1, FINE);
  expect([await first, await second]).toEqual([FINE, FINE]);
  // An answer that comes too late is not the next one's.
  const late = questions.ask(1000);
  clock.advance(1000);
  expect(await late).toBeNull();
  const again = questions.ask(1000);
  questions.answered(2, FINE);
  expect(await again).toEqual(FINE);
  const never = questions.ask(1000);
  questions.forget();
  const anew = questions.ask(1000);
  questions.answered(4, FINE);
  expect(await anew).toEqual(FINE);
  clock.advance(1000);
  expect(await never).toBeNull();
  expect(sent).toEqual([1, 2, 3, 4]);
});

test("messages are read as they were written, also those that come early", () => {
  const input = new PassThrough();
  const parent = new Parent(input);
  const messages: Message[] = [
    { ask: 1 },
    { answer: 7, shards: [...FINE, unready("shard-2", "it is starting")] },
  ];
  const seen: Message[] = [];
  const read = (line: string) => void seen.push(parseMessage(new Fields(JSON.parse(line))));
  return new Promise<void>((resolve) => {
    input.on("end", () => {
      parent.onLine(read);
      expect(seen).toEqual(messages);
      resolve();
    });
    input.end(["first\n", ...messages.map(formatMessage)].join(""));
  });
});

test("a shard that does not answer in the time of the watchdog is killed", async () => {
  const clock = new HandClock();
  const over = new AbortController();
  const killed: string[] = [];
  let isHung = false;
  const shard = {
    answers: () => Promise.resolve(!isHung),
    kill: (why?: string) => {
      killed.push(why ?? "");
      isHung = false;
    },
  };
  const watching = watchShards(clock, [shard], 10_000, over.signal);
  const passes = async (ms: number) => {
    await turn();
    clock.advance(ms);
    await turn();
  };
  for (let round = 0; round < 5; round++) await passes(5000);
  expect(killed).toEqual([]);
  isHung = true;
  await passes(5000);
  expect(killed).toEqual(["it does not answer"]);
  await passes(5000);
  over.abort();
  await watching;
  expect(killed).toHaveLength(1);
});
