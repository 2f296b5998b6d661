/** ACLs, SCRAM credentials and client quotas as data. */
import { describeAcls } from "../../../../core/protocol/29-describe-acls.ts";
import { createAcls } from "../../../../core/protocol/30-create-acls.ts";
import { deleteAcls } from "../../../../core/protocol/31-delete-acls.ts";
import { describeClientQuotas } from "../../../../core/protocol/48-describe-client-quotas.ts";
import { alterClientQuotas } from "../../../../core/protocol/49-alter-client-quotas.ts";
import { describeUserScramCredentials } from "../../../../core/protocol/50-describe-user-scram-credentials.ts";
import { alterUserScramCredentials } from "../../../../core/protocol/51-alter-user-scram-credentials.ts";
import type { Area, Draw, Step } from "../step.ts";
import { step } from "../step.ts";

const LITERAL = 3;
const PREFIXED = 4;
const ANY = 1;

function binding({ random }: Draw) {
  return {
    resourceType: random.pick([2, 2, 2, 3, 4, 5, 6, 7, 0, 1, 9]),
    resourceName: random.pick(["t", "t", "u", "kafka-cluster", "*", ""]),
    resourcePatternType: random.pick([LITERAL, LITERAL, LITERAL, PREFIXED, ANY, 2, 0, 9]),
    principal: random.pick(["User:a", "User:a", "User:b", "User:*", "User:", "a", "", "Group:g"]),
    host: random.pick(["*", "*", "127.0.0.1", "", "nohost"]),
    operation: random.pick([2, 3, 4, 5, 8, 10, 12, 13, 0, 1, 99]),
    permissionType: random.pick([3, 3, 3, 2, 1, 0, 7]),
  };
}

const hasZero = (acl: ReturnType<typeof binding>) =>
  [acl.resourceType, acl.resourcePatternType, acl.operation, acl.permissionType].includes(0);

function filter({ random }: Draw) {
  return {
    resourceTypeFilter: random.pick([1, 1, 2, 2, 3, 4, 0, 9]),
    resourceNameFilter: random.pick([null, null, "t", "u", "*", ""]),
    patternTypeFilter: random.pick([1, 1, LITERAL, PREFIXED, 2, 0, 9]),
    principalFilter: random.pick([null, null, "User:a", "User:b", "nonsense"]),
    hostFilter: random.pick([null, null, null, "*", "127.0.0.1"]),
    operation: random.pick([1, 1, 1, 3, 2, 0, 99]),
    permissionType: random.pick([1, 1, 1, 3, 2, 0, 9]),
  };
}

function acls(draw: Draw): Step {
  const { random } = draw;
  const kind = random.below(10);
  if (kind < 5) {
    const drawn = Array.from({ length: random.pick([1, 1, 2, 0]) }, () => binding(draw));
    // With a 0 Kafka closes the connection and creates nothing of all that is in the request.
    const closing = drawn.find(hasZero);
    const creations = closing === undefined ? drawn : [closing];
    return step(createAcls, () => ({ creations }), {
      version: draw.version(createAcls),
      changesMetadata: true,
    });
  }
  if (kind < 7) {
    const filters = Array.from({ length: random.pick([1, 1, 1, 0]) }, () => filter(draw));
    return step(deleteAcls, () => ({ filters }), {
      version: draw.version(deleteAcls),
      changesMetadata: true,
    });
  }
  const wanted = filter(draw);
  return step(describeAcls, () => wanted, { version: draw.version(describeAcls) });
}

const USERS = ["a", "a", "b", ""];

function scram(draw: Draw): Step {
  const { random } = draw;
  if (random.chance(40)) {
    const users = random.pick([
      null,
      [],
      [{ name: "a" }],
      [{ name: "a" }, { name: "a" }],
      [{ name: "none" }],
      [{ name: "" }],
    ]);
    return step(describeUserScramCredentials, () => ({ users }), {
      version: draw.version(describeUserScramCredentials),
    });
  }
  const deletions = Array.from({ length: random.pick([0, 0, 1, 2]) }, () => ({
    name: random.pick(USERS),
    mechanism: random.pick([1, 2, 2, 0, 5]),
  }));
  const upsertions = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => ({
    name: random.pick(USERS),
    mechanism: random.pick([1, 1, 2, 2, 0, 5]),
    iterations: random.pick([4096, 8192, 4096, 16_384, 16_385, 4095, 0, -1]),
    salt: random.pick([Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3), new Uint8Array(0)]),
    // An empty one fails the whole request in Kafka, other users included.
    saltedPassword: Uint8Array.of(4, 5),
  }));
  return step(alterUserScramCredentials, () => ({ deletions, upsertions }), {
    version: draw.version(alterUserScramCredentials),
    changesMetadata: true,
  });
}

function entity({ random }: Draw) {
  return random.pick([
    [{ entityType: "user", entityName: "a" }],
    [{ entityType: "user", entityName: null }],
    [{ entityType: "client-id", entityName: "c1" }],
    [{ entityType: "user", entityName: "a" }, { entityType: "client-id", entityName: "c1" }],
    [{ entityType: "user", entityName: "a" }, { entityType: "client-id", entityName: null }],
    [{ entityType: "ip", entityName: "127.0.0.2" }],
    [{ entityType: "ip", entityName: "not an ip" }],
    [{ entityType: "ip", entityName: "127.0.0.2" }, { entityType: "user", entityName: "a" }],
    [{ entityType: "user", entityName: "" }],
    [{ entityType: "planet", entityName: "mars" }],
    [],
  ]);
}

function quotas(draw: Draw): Step {
  const { random } = draw;
  if (random.chance(40)) {
    const components = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => ({
      entityType: random.pick(["user", "user", "client-id", "ip", "planet", ""]),
      ...random.pick([
        { matchType: 0, match: "a" },
        { matchType: 1, match: null },
        { matchType: 2, match: null },
        { matchType: 2, match: null },
        { matchType: 0, match: null },
        { matchType: 2, match: "a" },
        { matchType: 5, match: null },
      ]),
    }));
    const strict = random.chance(40);
    return step(describeClientQuotas, () => ({ components, strict }), {
      version: draw.version(describeClientQuotas),
    });
  }
  const entries = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => ({
    entity: entity(draw),
    ops: Array.from({ length: random.pick([1, 1, 2, 0]) }, () => ({
      key: random.pick([
        "producer_byte_rate",
        "consumer_byte_rate",
        "request_percentage",
        "controller_mutation_rate",
        "connection_creation_rate",
        "nonsense",
        "",
      ]),
      value: random.pick([1_000_000, 5_000_000, 1e9, 0, -1, 1.5, 1e-3]),
      remove: random.chance(25),
    })),
  }));
  const validateOnly = random.chance(15);
  return step(alterClientQuotas, () => ({ entries, validateOnly }), {
    version: draw.version(alterClientQuotas),
    changesMetadata: true,
  });
}

const QUOTA_ENTITIES = [
  [{ entityType: "user", entityName: "a" }],
  [{ entityType: "user", entityName: null }],
  [{ entityType: "client-id", entityName: "c1" }],
  [{ entityType: "user", entityName: "a" }, { entityType: "client-id", entityName: "c1" }],
  [{ entityType: "user", entityName: "a" }, { entityType: "client-id", entityName: null }],
];
const QUOTA_KEYS = [
  "producer_byte_rate",
  "consumer_byte_rate",
  "request_percentage",
  "controller_mutation_rate",
];

export const securityData: Area = {
  name: "security-data",
  needs: [describeAcls, createAcls, deleteAcls, describeClientQuotas, alterUserScramCredentials],
  setUp: () => [],
  next: (draw) => {
    const kind = draw.random.below(3);
    return [kind === 0 ? acls(draw) : kind === 1 ? scram(draw) : quotas(draw)];
  },
  cleanUp: (draw) => [
    step(deleteAcls, () => ({
      filters: [{
        resourceTypeFilter: 1,
        resourceNameFilter: null,
        patternTypeFilter: 1,
        principalFilter: null,
        hostFilter: null,
        operation: 1,
        permissionType: 1,
      }],
    }), { version: draw.lastVersion(deleteAcls) }),
    ...["a", "b"].flatMap((name) =>
      [1, 2].map((mechanism) =>
        step(alterUserScramCredentials, () => ({ deletions: [{ name, mechanism }] }), {
          version: draw.lastVersion(alterUserScramCredentials),
        })
      )
    ),
    ...QUOTA_ENTITIES.map((entity) =>
      step(alterClientQuotas, () => ({
        entries: [{ entity, ops: QUOTA_KEYS.map((key) => ({ key, value: 0, remove: true })) }],
      }), { version: draw.lastVersion(alterClientQuotas) })
    ),
    step(alterClientQuotas, () => ({
      entries: [{
        entity: [{ entityType: "ip", entityName: "127.0.0.2" }],
        ops: [{ key: "connection_creation_rate", value: 0, remove: true }],
      }],
    }), { version: draw.lastVersion(alterClientQuotas), changesMetadata: true }),
  ],
};
