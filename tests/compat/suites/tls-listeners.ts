/** Our listeners with TLS, as other people's clients use them: with certificates of their own, and without. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BrokerProcess, withBroker } from "../../harness/broker-process.ts";
import { TestAuthority, type TestCertificate } from "../../harness/certificates.ts";
import { run, runOk } from "../../harness/process.ts";
import { java, needKafka, needKcat } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

/** A broker that lets in only clients that the authority has signed. */
interface Scene {
  readonly broker: BrokerProcess;
  readonly authority: TestAuthority;
  readonly alice: TestCertificate;
  readonly mallory: TestCertificate;
}

async function withTls(body: (scene: Scene) => Promise<void>): Promise<void> {
  const [authority, strangers] = [new TestAuthority(), new TestAuthority("strangers")];
  try {
    const server = authority.sign("server");
    const [alice, mallory] = [authority.sign("alice"), strangers.sign("mallory")];
    const flags = ["--tls-cert", server.certFile, "--tls-key", server.keyFile];
    await withBroker((broker) => body({ broker, authority, alice, mallory }), {
      args: [...flags, "--tls-ca", authority.caFile],
    });
  } finally {
    for (const each of [authority, strangers]) each.dispose();
  }
}

const INPUT = numberedLines("a line through TLS", 5000);

function kcatArgs({ broker, authority }: Scene, client: TestCertificate | null): string[] {
  const settings = {
    "security.protocol": "ssl",
    "ssl.ca.location": authority.caFile,
    ...(client !== null && {
      "ssl.certificate.location": client.certFile,
      "ssl.key.location": client.keyFile,
    }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-X", `${name}=${value}`]);
  return ["kcat", "-b", broker.bootstrap, ...flags];
}

/** A client's properties for Java. */
function properties({ authority }: Scene, client: TestCertificate): string {
  const store = join(authority.dir, "client-store.pem");
  writeFileSync(store, client.key + client.cert);
  const path = join(authority.dir, "client.properties");
  const lines = [
    "security.protocol=SSL",
    "ssl.keystore.type=PEM",
    `ssl.keystore.location=${store}`,
    "ssl.truststore.type=PEM",
    `ssl.truststore.location=${authority.caFile}`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

async function javaRoundTrip(scene: Scene): Promise<void> {
  const config = ["--command-config", properties(scene, scene.alice)];
  const at = ["--bootstrap-server", scene.broker.bootstrap, "--topic", "java", ...config];
  const options = { timeoutMs: 120_000 };
  await runOk(java("org.apache.kafka.tools.ConsoleProducer", ...at), { ...options, input: INPUT });
  const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const wanted = ["--from-beginning", "--max-messages", "5000"];
  const { stdout } = await runOk(java(consumer, ...at, ...wanted), options);
  expectEqual(stdout.trim().split("\n").length, 5000, "records");
}

export const tlsListeners: CompatSuite = {
  name: "tls-listeners",
  needs: [needKcat, needKafka],
  inSample: true,
  cases: [
    {
      name: "kcat with a certificate writes and reads the same bytes",
      run: () =>
        withTls(async (scene) => {
          const kcat = kcatArgs(scene, scene.alice);
          await runOk([...kcat, "-P", "-t", "t"], { input: INPUT });
          const read = [...kcat, "-C", "-t", "t", "-o", "beginning", "-e", "-q"];
          expectEqual((await runOk(read)).stdout, INPUT, "records");
        }),
    },
    {
      name: "kcat without a certificate, and with one of another authority, is refused",
      run: () =>
        withTls(async (scene) => {
          for (const client of [null, scene.mallory]) {
            const list = [...kcatArgs(scene, client), "-L", "-m", "5"];
            const { exitCode } = await run(list, { timeoutMs: 60_000 });
            expectEqual(exitCode === 0, false, "refused");
          }
          await scene.broker.outputHas(/it has shown no certificate/);
          await scene.broker.outputHas(/signed by nobody who is trusted here/);
          expectContains(scene.broker.output(), "listener=SSL", "the log");
        }),
    },
    {
      name: "Kafka's console producer and consumer, with keystores in PEM",
      run: () => withTls(javaRoundTrip),
    },
  ],
};
