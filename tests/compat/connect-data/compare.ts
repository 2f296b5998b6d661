/** Kafka Connect's own converters, transforms and literals beside ours, on the same cases. */
import { run } from "../../harness/process.ts";
import { javaProgram } from "../java-programs.ts";
import { Cases } from "./cases.ts";
import type { Case } from "./cases.ts";
import { explanationOf } from "./explained.ts";
import { ourAnswer } from "./ours.ts";
import type { Answer } from "./ours.ts";
import { normal } from "./shown.ts";
import type { Shown } from "./shown.ts";

/** A case with both answers. */
export interface Difference {
  readonly test: Case;
  readonly kafka: Answer;
  readonly ours: Answer;
}

export interface Comparison {
  readonly cases: number;
  /** Cases that both refused. */
  readonly refused: number;
  /** How often each explanation was needed. */
  readonly explained: ReadonlyMap<string, number>;
  readonly differences: readonly Difference[];
}

/** Draws so many cases of a seed and compares the answers. */
export async function compareConnectData(seed: number, count: number): Promise<Comparison> {
  const cases = new Cases(seed);
  const tests = Array.from({ length: count }, () => cases.next());
  const command = javaProgram("ConnectOracle");
  // Kafka's classes write dates in the zone of the process.
  const utc = [command[0]!, "-Duser.timezone=UTC", "-Duser.language=en", ...command.slice(1)];
  const finished = await run(utc, {
    input: tests.map((test) => `${JSON.stringify(test)}\n`).join(""),
    timeoutMs: 300_000,
  });
  const answers = finished.stdout.trimEnd().split("\n");
  if (finished.exitCode !== 0 || answers.length !== count) {
    throw new Error(`${answers.length} answers of ${count}: ${finished.stderr.slice(-2000)}`);
  }
  const explained = new Map<string, number>();
  const differences: Difference[] = [];
  let refused = 0;
  for (const [i, test] of tests.entries()) {
    const kafka: Answer = JSON.parse(answers[i]!);
    const ours = ourAnswer(test);
    if ("error" in kafka && "error" in ours) refused++;
    else if (!isSame(test, kafka, ours)) {
      const why = explanationOf({ test, kafka, ours });
      if (why === null) differences.push({ test, kafka, ours });
      else explained.set(why, (explained.get(why) ?? 0) + 1);
    }
  }
  return { cases: count, refused, explained, differences };
}

function isSame(test: Case, kafka: Answer, ours: Answer): boolean {
  const form = (answer: Answer) => JSON.stringify(normal(comparable(test, answer)));
  return form(kafka) === form(ours);
}

/** JSON that was written is compared as JSON, not by its bytes. */
function comparable(test: Case, answer: Answer): Shown {
  // Java's maps have no order.
  if (typeof answer["text"] === "string") return { text: answer["text"].split(/[,{}]/).sort() };
  const isJson = test.kind === "write" && test.class.endsWith("JsonConverter");
  if (!isJson || typeof answer["bytes"] !== "string") return answer;
  const text = Buffer.from(answer["bytes"], "base64").toString();
  return { json: sorted(JSON.parse(text, exact)) };
}

function exact(_name: string, value: unknown, ...rest: unknown[]): unknown {
  if (typeof value !== "number") return value;
  const context: { source?: string } = Object(rest[0]);
  const source = context.source ?? String(value);
  return { number: source };
}

function sorted(json: unknown): Shown {
  if (Array.isArray(json)) return json.map(sorted);
  if (typeof json !== "object" || json === null) return json as Shown;
  const object = Object.fromEntries(
    Object.keys(json).sort().map((name) => [name, sorted(Reflect.get(json, name))]),
  );
  return object;
}
