/** `consume --group`: members that come, go and are killed while records keep coming. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type BrokerProcess, startBrokerProcess } from "../harness/broker-process.ts";
import { comeAndGo, killOne, Member, MEMBER_KINDS, QUICK_GROUPS } from "../harness/group-scene.ts";
import { fails, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  const settings = Object.entries(QUICK_GROUPS);
  const args = settings.flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  broker = await startBrokerProcess({ args: ["--memory", ...args] });
  at = { brokers: broker.bootstrap };
});

afterAll(() => broker.stop());

for (const [kind, flags] of Object.entries(MEMBER_KINDS)) {
  test(`${kind}: members come and go, and each record is printed once`, () => {
    return comeAndGo(broker.bootstrap, `${kind}-well`, flags);
  });

  test(`${kind}: of a member that is killed only what it has not committed comes again`, () => {
    return killOne(broker.bootstrap, `${kind}-killed`, flags);
  });
}

test("flags of a group that do not fit are refused", async () => {
  await ok(["topic", "create", "flags"], at);
  const consume = ["consume", "flags", "-e"];
  await fails([...consume, "--assignor", "range"], 2, ["--assignor", "--group"], at);
  await fails([...consume, "-g", "g", "--assignor", "nearest"], 2, ["nearest", "sticky"], at);
  const modern = ["-g", "g", "--group-protocol", "consumer"];
  await fails([...consume, ...modern, "--session-timeout", "6s"], 2, ["config set group g"], at);
  await fails([...consume, ...modern, "--assignor", "nearest"], 1, ["uniform or range"], at);
  const short = ["-g", "g", "--session-timeout", "1s"];
  await fails([...consume, ...short], 1, ["group.min.session.timeout.ms"], at);
  const eager = new Member(broker.bootstrap, "flags", ["--assignor", "range"]);
  await ok(["wait", "group", "flags", "--members", "1", "--timeout", "20s"], at);
  await fails([...consume, "-g", "flags"], 1, ["--assignor"], at);
  await eager.end("SIGINT");
});

for (const protocol of ["classic", "consumer"]) {
  test(
    `${protocol}: a member with an instance id comes back to its partitions, none of which move`,
    async () => {
      const topic = `static-${protocol}`;
      await ok(["topic", "create", topic, "-p", "2"], at);
      const join = (id: string) =>
        new Member(broker.bootstrap, topic, [
          "--group-protocol",
          protocol,
          "--group-instance-id",
          id,
        ]);
      /** Which partition each instance has, once both have one. */
      const owners = async (): Promise<Record<string, number[]>> => {
        for (;;) {
          const group = JSON.parse(await ok(["group", "describe", topic, "--json"], at))[0];
          const members: { groupInstanceId: string; assignment: { partitions: number[] }[] }[] =
            group.members;
          if (members.length === 2 && members.every(({ assignment }) => assignment.length > 0)) {
            return Object.fromEntries(members.map(({ groupInstanceId, assignment }) => {
              return [groupInstanceId, assignment.flatMap(({ partitions }) => partitions)];
            }));
          }
        }
      };
      const [stays, leaves] = [join("a"), join("b")];
      await ok(["wait", "group", topic, "--members", "2", "--timeout", "20s"], at);
      const before = await owners();
      await leaves.end("SIGINT");
      expect(await owners()).toEqual(before);
      await ok(["produce", topic, "-p", String(before["b"]?.[0])], { ...at, input: "for b\n" });
      const again = join("b");
      await again.prints("for b");
      expect(await owners()).toEqual(before);
      expect(stays.lines).toEqual([]);
      await Promise.all([stays.end("SIGINT"), again.end("SIGINT")]);
    },
    30_000,
  );
}
