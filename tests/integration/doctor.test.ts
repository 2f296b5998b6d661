/** `kstream doctor` against brokers that are well, and ones that are not. */
import { expect, test } from "bun:test";
import { withBroker } from "../harness/broker-process.ts";
import { clientIo } from "../../cmd/client.ts";
import { Consumer } from "../../client/consumer.ts";
import { leaveOpen } from "../harness/raw-transactions.ts";
import { fails, kstream, ok } from "./cli.ts";

test(
  "a blocked group is told with the record that blocks it, other trouble with its fix",
  async () => {
    await withBroker(async ({ bootstrap }) => {
      const at = { brokers: bootstrap };
      await ok(["topic", "create", "orders", "-p", "2"], at);
      const doctor = ["doctor", "--watch", "1"];
      expect(await ok(doctor, at)).toMatch(/^address: ok\npartitions: ok\n/);

      await ok(["produce", "orders", "-p", "1"], { ...at, input: "fine\npoison\nnext\n" });
      const consumer = new Consumer(clientIo, { brokers: [bootstrap], groupId: "billing" });
      consumer.subscribe(["orders"]);
      const chunk = await consumer.nextChunk();
      expect(chunk?.partition).toBe(1);
      await consumer.commit([{ topic: "orders", partition: 1, offset: 1n }]);
      const blocked = await kstream([...doctor, "group", "billing", "--json"], at);
      expect(blocked.exitCode).toBe(1);
      const { healthy, findings } = JSON.parse(blocked.stdout);
      expect(healthy).toBe(false);
      expect(findings).toHaveLength(1);
      expect(findings[0]).toMatchObject({ level: "problem", check: "groups" });
      expect(findings[0].fix).toContain("--topic orders:1 --to 2");
      expect(JSON.parse(findings[0].record)).toMatchObject({ offset: 1, value: "poison" });
      await consumer.close();

      const left = await ok(doctor, at);
      expect(left).toMatch(/groups: warning: .* has no members and stands at offset 1 of orders:1/);
      await ok(["group", "delete", "billing"], at);

      const late = JSON.stringify({
        value: "late",
        timestamp: Date.now() + 3_000_000,
        partition: 0,
      });
      await ok(["produce", "orders", "-f", "json"], { ...at, input: `${late}\n` });
      const many = "x\n".repeat(20_000);
      await ok(["produce", "orders", "-p", "1"], { ...at, input: many });
      const warned = await ok(doctor, at);
      expect(warned).toMatch(/clock: warning: the record at offset 0 of orders:0 is \d+ s ahead/);
      expect(warned).toContain("skew: warning: orders:1 has 20,003 records");
      await fails(["doctor", "group", "bilin"], 1, ["bilin"], at);
      await fails(["doctor", "group"], 2, ["no group is named"], at);
    }, { args: ["--memory"] });
  },
  60_000,
);

test("transactions that hang, and a broker whose clock is ahead", async () => {
  await withBroker(async ({ bootstrap, port, admin }) => {
    const at = { brokers: bootstrap, env: { KSTREAM_ADMIN: admin ?? "" } };
    const unverified = "transaction.partition.verification.enable=false";
    await ok(["config", "set", "broker", "default", unverified], at);
    const open = { topic: "orders", records: 1, ageMs: 3_600_000 };
    await leaveOpen(port, { ...open, transactionalId: "lost", partition: 0, known: false });
    await leaveOpen(port, { ...open, transactionalId: "slow", partition: 1, known: true });
    const stuck = await kstream(["doctor", "--json", "--watch", "1"], at);
    expect(stuck.exitCode).toBe(1);
    expect(JSON.parse(stuck.stdout).findings).toEqual([
      expect.objectContaining({
        ...{ check: "transactions", level: "problem", subject: "orders:0" },
        what: expect.stringContaining("from offset 0 on"),
        fix: expect.stringContaining("kstream txn abort --partition orders:0"),
      }),
    ]);
    await ok(["txn", "abort", "--partition", "orders:0", "--execute"], at);
    expect(await ok(["doctor"], at)).toContain("transactions: ok\n");

    await ok(["topic", "create", "stamped", "-c", "message.timestamp.type=LogAppendTime"], at);
    await ok(["dev", "clock", "+2h"], at);
    await ok(["produce", "stamped"], { ...at, input: "x\n" });
    expect(await ok(["doctor"], at))
      .toMatch(
        /clock: warning: the record at offset 0 of stamped:0 is 7\d\d\d s ahead .*\n {2}what/,
      );

    // A check that cannot be made is told, and the others are made all the same.
    await ok(["dev", "fault", "add", "DescribeLogDirs", "error=CLUSTER_AUTHORIZATION_FAILED"], at);
    expect(await ok(["doctor"], at)).toMatch(/^disk: not checked: .*CLUSTER_AUTHORIZATION_FAILED/m);
  }, { args: ["--memory", "--dev", "--topic", "orders:2"] });
}, 60_000);

test("an advertised address that cannot be reached is named with its fix", async () => {
  await withBroker(async ({ outputHas }) => {
    const bootstrap = (await outputHas(/bound to ([\d.:]+)/))[1] ?? "none";
    const finished = await kstream(["doctor", "--timeout", "3", "--watch", "1"], {
      brokers: bootstrap,
    });
    expect(finished.exitCode).toBe(1);
    expect(finished.stdout).toMatch(/^address: problem: broker \d+ advertises 127\.0\.0\.1:1, /);
    expect(finished.stdout).toContain(`advertised.listeners=PLAINTEXT://${bootstrap}`);
  }, { args: ["--memory", "--advertise", "127.0.0.1:1"] });
  await withBroker(async ({ outputHas }) => {
    const bootstrap = (await outputHas(/bound to ([\d.:]+)/))[1] ?? "none";
    const doctor = ["doctor", "--timeout", "3", "--watch", "1"];
    const { exitCode, stdout } = await kstream(doctor, { brokers: bootstrap });
    expect([exitCode, stdout]).toEqual([
      1,
      expect.stringMatching(/^address: problem: .* advertises nowhere\.invalid:9092, /),
    ]);
    expect(stdout).toContain("or let this machine resolve and reach nowhere.invalid");
  }, { args: ["--memory", "--advertise", "nowhere.invalid:9092"] });
}, 60_000);
