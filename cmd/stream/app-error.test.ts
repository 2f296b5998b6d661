import { expect, test } from "bun:test";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { TopologyBuilder } from "../../stream/dsl/builder.ts";
import { appError } from "./app-error.ts";

const builder = new TopologyBuilder();
builder.stream(["orders", "both"]).groupByKey().count("counts").toStream().to("totals");
builder.stream(/shop-.*/).to("both");

test("what is not allowed is said with the rule that allows it", () => {
  const ruleOf = (code: number, subject: string) =>
    /User:NAME (.*)$/.exec(
      appError(new KafkaError(code, subject), builder.topology, "app")?.whatToDo ?? "",
    )?.[1];
  const { TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED } = Errors;
  const cases = [
    [TOPIC_AUTHORIZATION_FAILED, 'topic "orders"', "-o read --topic orders"],
    [TOPIC_AUTHORIZATION_FAILED, "fetch from partition shop-1-12", "-o read --topic shop-1"],
    [TOPIC_AUTHORIZATION_FAILED, "produce to totals-0", "-o write --topic totals"],
    [TOPIC_AUTHORIZATION_FAILED, 'topic "both"', "-o read,write --topic both"],
    [TOPIC_AUTHORIZATION_FAILED, 'topic "elsewhere"', "-o write --topic elsewhere"],
    [TOPIC_AUTHORIZATION_FAILED, "produce to app-x-0", "-o all --topic app- --prefix"],
    [GROUP_AUTHORIZATION_FAILED, 'coordinator of group "app"', "-o read,describe --group app"],
    [
      Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      'coordinator of transaction "app-1-1"',
      "-o write,describe --transactional-id app- --prefix",
    ],
    [Errors.CLUSTER_AUTHORIZATION_FAILED, "open", "-o idempotent-write --cluster"],
  ] as const;
  for (const [code, subject, rule] of cases) expect(ruleOf(code, subject)).toBe(rule);
  expect(
    appError(new KafkaError(Errors.INVALID_GROUP_ID, "join"), builder.topology, "app")?.message,
  )
    .toContain("give the group a name");
  expect(appError(new Error("a bug"), builder.topology, "app")).toBeNull();
});
