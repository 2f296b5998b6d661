/** kcat (librdkafka): the command line that shell scripts use today. */
import { withBroker } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { needKcat } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

const consumeAll = (bootstrap: string, topic: string, ...args: string[]) =>
  runOk(["kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", ...args]);

export const kcat: CompatSuite = {
  name: "kcat",
  needs: [needKcat],
  inSample: true,
  cases: [
    {
      name: "first produce creates the topic, consume reads the same bytes, for every codec",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
            const input = numberedLines(`line of ${codec}`, 5000);
            await runOk(
              ["kcat", "-b", bootstrap, "-P", "-t", `codec-${codec}`, "-z", codec],
              { input },
            );
            const { stdout } = await consumeAll(bootstrap, `codec-${codec}`);
            expectEqual(stdout, input, codec);
          }
        }),
    },
    {
      name: "keys, headers, null values, partitions and timestamps",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const produce = ["kcat", "-b", bootstrap, "-P", "-t", "orders", "-K", ":", "-H", "a=1"];
          await runOk([...produce, "-p", "2"], { input: "k1:v1\nk2:v2\n" });
          await runOk([...produce, "-p", "0", "-Z"], { input: "k3:\n" });
          const { stdout } = await consumeAll(bootstrap, "orders", "-f", "%p %o %k=%s %S %h\n");
          expectEqual(
            stdout.trim().split("\n").sort(),
            ["0 0 k3= -1 a=1", "2 0 k1=v1 2 a=1", "2 1 k2=v2 2 a=1"],
            "records",
          );
          const meta = await runOk(["kcat", "-b", bootstrap, "-L", "-J"]);
          const { brokers, topics } = JSON.parse(meta.stdout);
          expectEqual(brokers[0].name, bootstrap, "the address that the client came in on");
          expectEqual(
            topics.find((t: { topic: string }) => t.topic === "orders")?.partitions.length,
            3,
            "partitions",
          );
        }, { args: ["--topic", "orders:3"] }),
    },
    {
      name: "consumer group commits and resumes",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const group = (count: number) =>
            runOk([
              "kcat",
              "-b",
              bootstrap,
              "-G",
              "readers",
              "-c",
              String(count),
              "-q",
              "-X",
              "auto.offset.reset=earliest",
              "jobs",
            ]);
          await runOk(["kcat", "-b", bootstrap, "-P", "-t", "jobs"], {
            input: numberedLines("job", 10),
          });
          expectEqual((await group(4)).stdout, numberedLines("job", 4), "the first four");
          const rest = await group(6);
          expectEqual(rest.stdout.split("\n").slice(0, 1), ["job 4"], "goes on where it committed");
        }),
    },
    {
      name: "offsets by time, tail and range",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          await runOk(["kcat", "-b", bootstrap, "-P", "-t", "log"], {
            input: numberedLines("l", 100),
          });
          const tail = await runOk(
            ["kcat", "-b", bootstrap, "-C", "-t", "log", "-p", "0", "-o", "-3", "-e", "-q"],
          );
          expectEqual(tail.stdout, "l 97\nl 98\nl 99\n", "last three");
          const query = await runOk(["kcat", "-b", bootstrap, "-Q", "-t", "log:0:0"]);
          expectContains(query.stdout + query.stderr, /offset 0/, "offset of time 0");
        }),
    },
    {
      name: "idempotent producer with acks=all",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const input = numberedLines("once", 20_000);
          await runOk(
            ["kcat", "-b", bootstrap, "-P", "-t", "once", "-X", "enable.idempotence=true"],
            { input },
          );
          expectEqual((await consumeAll(bootstrap, "once")).stdout, input, "records");
        }),
    },
  ],
};
