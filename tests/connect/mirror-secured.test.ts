/** A mirror between brokers that want certificates and have ACLs: a right that is missing is named. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import type { ClientOptions } from "../../client/options.ts";
import type { AclEntry } from "../../core/acl.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { type BrokerProcess, startBrokerProcess } from "../harness/broker-process.ts";
import { TestAuthority, type TestCertificate } from "../harness/certificates.ts";
import { MirrorWorker } from "./servers/mirror-scene.ts";

const io = { clock: bunClock, random: bunRandom, network: bunNetwork };
const authority = new TestAuthority();
const [server, root, mirror] = [
  authority.sign("server"),
  authority.sign("root"),
  authority.sign("mirror"),
];
let source: BrokerProcess;
let target: BrokerProcess;

beforeAll(async () => {
  const args = [
    ...["--tls-cert", server.certFile, "--tls-key", server.keyFile, "--tls-ca", authority.caFile],
    "--set",
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    ...["--set", "super.users=User:CN=root", "--admin", "off"],
  ];
  [source, target] = await Promise.all([
    startBrokerProcess({ args }),
    startBrokerProcess({ args }),
  ]);
});
afterAll(async () => {
  await Promise.all([source?.stop("SIGKILL"), target?.stop("SIGKILL")]);
  authority.dispose();
});

const asRoot = ({ bootstrap }: BrokerProcess): ClientOptions => ({
  brokers: [bootstrap],
  tls: { ca: authority.ca, cert: root.cert, key: root.key },
});

async function grant(
  at: BrokerProcess,
  resourceName: string,
  ...operations: AclEntry["operation"][]
): Promise<void> {
  const admin = new Admin(io, asRoot(at));
  const made = await admin.acls.create(operations.map((operation): AclEntry => ({
    resourceType: "TOPIC",
    resourceName,
    patternType: "LITERAL",
    principal: "User:CN=mirror",
    host: "*",
    operation,
    permission: "ALLOW",
  })));
  expect(made.map(({ error }) => error)).toEqual(operations.map(() => null));
  admin.close();
}

const shown = ({ certFile, keyFile }: TestCertificate) => [
  ...["--tls-ca", authority.caFile],
  ...["--tls-cert", certFile, "--tls-key", keyFile],
];

/** A mirror that gives up at the first failure. */
function begun(more: Readonly<Record<string, unknown>> = {}): MirrorWorker {
  const config = {
    name: "secured",
    connector: "mirror-source",
    topics: "orders",
    "source.cluster.bootstrap.servers": source.bootstrap,
    "source.cluster.security.protocol": "SSL",
    "source.cluster.ssl.truststore.location": authority.caFile,
    "source.cluster.ssl.keystore.certificate.chain": mirror.cert,
    "source.cluster.ssl.keystore.key": mirror.key,
    "refresh.topics.interval.seconds": 1,
    "sync.topic.acls.interval.seconds": 1,
    "replication.factor": 1,
    ...more,
  };
  return new MirrorWorker(target.bootstrap, [config], ["--restarts", "0", ...shown(mirror)]);
}

test(
  "each right that a mirror lacks is named, with its cluster; with all of them it copies",
  async () => {
    const admin = new Admin(io, asRoot(source));
    await admin.createTopics([{ name: "orders", partitions: 1 }]);
    admin.close();
    const producer = new Producer(io, asRoot(source));
    await producer.send({ topic: "orders", value: new TextEncoder().encode("first") });
    await producer.close();
    await grant(target, "kstream-connect-offsets", "ALL");

    const unseen = begun();
    await unseen.up();
    await unseen.says(/a topic is not copied.*topic=orders.*no right to DESCRIBE/);
    await unseen.says(/DESCRIBE of the cluster \(or sync.topic.acls.enabled=false\) in the source/);
    await unseen.stop();

    const copy = "source.orders";
    const syncs = "mm2-offset-syncs.target.internal";
    const steps: [BrokerProcess, string, AclEntry["operation"][], missing: string][] = [
      [source, "orders", ["DESCRIBE"], 'DESCRIBE_CONFIGS of topic "orders" in the source cluster'],
      [source, "orders", ["DESCRIBE_CONFIGS"], `CREATE of topic "${copy}" in the target cluster`],
      [target, copy, ["CREATE", "DESCRIBE"], `CREATE of topic "${syncs}" in the source cluster`],
      [
        source,
        syncs,
        ["CREATE", "DESCRIBE", "WRITE"],
        "orders-0: .*READ of its topic in the source",
      ],
      [source, "orders", ["READ"], `produce to ${copy}-0: TOPIC_AUTHORIZATION_FAILED`],
    ];
    for (const [at, topic, operations, missing] of steps) {
      await grant(at, topic, ...operations);
      const refused = begun({ "sync.topic.acls.enabled": false });
      await refused.up();
      expect(await refused.ended()).toMatch(new RegExp(`secured-0 has failed: .*${missing}`));
      await refused.stop();
    }
    await grant(target, copy, "WRITE", "DESCRIBE_CONFIGS");
    const allowed = begun({ "sync.topic.acls.enabled": false });
    await allowed.up();
    const consumer = new Consumer(io, asRoot(target));
    await consumer.assign([{ topic: copy, partition: 0, offset: 0n }]);
    const [record] = (await consumer.nextChunk())?.records() ?? [];
    expect(new TextDecoder().decode(record?.value ?? undefined)).toBe("first");
    await consumer.close();
    expect(await allowed.stop()).not.toContain("AUTHORIZATION_FAILED");
  },
  60_000,
);
