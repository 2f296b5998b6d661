/** ACLs, SCRAM credentials and quotas as data: every answer of their APIs. */
import { describe, expect, test } from "bun:test";
import { pbkdf2Sync } from "node:crypto";
import { errorName, Errors } from "../../core/errors.ts";
import { AclAuthorizer } from "../acl-authorizer.ts";
import {
  allowAllBut,
  type MetadataBroker,
  metadataBroker,
} from "../metadata-broker.test-helper.ts";
import { describeAclsHandler } from "./29-describe-acls.ts";
import { createAclsHandler } from "./30-create-acls.ts";
import { deleteAclsHandler } from "./31-delete-acls.ts";
import { describeClientQuotasHandler } from "./48-describe-client-quotas.ts";
import { alterClientQuotasHandler } from "./49-alter-client-quotas.ts";
import { describeUserScramCredentialsHandler } from "./50-describe-user-scram-credentials.ts";
import { alterUserScramCredentialsHandler } from "./51-alter-user-scram-credentials.ts";

const ACLS_ON = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
} as const;

const [ANY, MATCH, LITERAL, PREFIXED] = [1, 2, 3, 4];
const [TOPIC, CLUSTER] = [2, 4];
const READ = 3;
const [DENY, ALLOW] = [2, 3];

const acl = (change: Record<string, unknown> = {}) => ({
  resourceType: TOPIC,
  resourceName: "orders",
  resourcePatternType: LITERAL,
  principal: "User:alice",
  host: "*",
  operation: READ,
  permissionType: ALLOW,
  ...change,
});

const filter = (change: Record<string, unknown> = {}) => ({
  resourceTypeFilter: ANY,
  resourceNameFilter: null,
  patternTypeFilter: ANY,
  principalFilter: null,
  hostFilter: null,
  operation: ANY,
  permissionType: ANY,
  ...change,
});

async function create({ call }: MetadataBroker, ...creations: ReturnType<typeof acl>[]) {
  const { results } = await call(createAclsHandler, 3, { creations });
  return results.map(({ errorCode, errorMessage }) => [errorName(errorCode), errorMessage]);
}

async function names({ call }: MetadataBroker, change: Record<string, unknown> = {}) {
  const { resources } = await call(describeAclsHandler, 3, filter(change));
  return resources.flatMap(({ resourceName, patternType, acls }) =>
    acls.map(({ principal }) => `${principal} ${patternType} ${resourceName}`)
  ).sort();
}

describe("ACLs", () => {
  test("are created once, described by filter and deleted, also after a restart", async () => {
    const subject = await metadataBroker(ACLS_ON);
    const made = await create(
      subject,
      acl(),
      acl(),
      acl({ principal: "User:bob", resourceName: "*" }),
      acl({ resourceName: "ord", resourcePatternType: PREFIXED, permissionType: DENY }),
    );
    expect(made).toEqual(made.map(() => ["NONE", null]));
    expect(await create(subject, acl())).toEqual([["NONE", null]]);
    const again = await metadataBroker(ACLS_ON, subject.log);
    expect(await names(again)).toEqual([
      "User:alice 3 orders",
      "User:alice 4 ord",
      "User:bob 3 *",
    ]);
    expect(await names(again, { patternTypeFilter: MATCH, resourceNameFilter: "order" })).toEqual([
      "User:alice 4 ord",
      "User:bob 3 *",
    ]);
    const { filterResults } = await again.call(deleteAclsHandler, 3, {
      filters: [
        filter({ principalFilter: "User:alice" }),
        filter({ resourceNameFilter: "nothing" }),
        filter({ operation: 99 }),
      ],
    });
    expect(filterResults.map(({ errorCode, matchingAcls }) => [errorCode, matchingAcls.length]))
      .toEqual([[0, 2], [0, 0], [Errors.INVALID_REQUEST, 0]]);
    expect(await names(again)).toEqual(["User:bob 3 *"]);
  });

  const refusals: [string, Record<string, unknown>, string][] = [
    ["no name", { resourceName: "" }, "Invalid empty resource name"],
    ["another cluster", { resourceType: CLUSTER }, "The only valid name for the CLUSTER"],
    ["any type", { resourceType: ANY }, "Invalid resourceType ANY"],
    ["an unknown type", { resourceType: 99 }, "Invalid resourceType UNKNOWN"],
    ["a pattern of filters", { resourcePatternType: MATCH }, "Invalid patternType MATCH"],
    ["any operation", { operation: ANY }, "Invalid operation ANY"],
    ["any permission", { permissionType: ANY }, "Invalid permissionType ANY"],
    ["a principal without type", { principal: "alice" }, "Could not parse principal from `alice`"],
  ];
  for (const [what, change, message] of refusals) {
    test(`refuse ${what}, and the others are made`, async () => {
      const subject = await metadataBroker(ACLS_ON);
      const [bad, good] = await create(subject, acl(change), acl());
      expect(bad?.[0]).toBe("INVALID_REQUEST");
      expect(bad?.[1]).toContain(message);
      expect(good).toEqual(["NONE", null]);
      expect(await names(subject)).toHaveLength(1);
    });
  }

  test("need an authorizer, and the right on the cluster", async () => {
    const off = await metadataBroker();
    const on = await metadataBroker(ACLS_ON);
    const denied = allowAllBut("ALTER CLUSTER", "DESCRIBE CLUSTER");
    for (let version = 1; version <= 3; version++) {
      for (
        const [subject, authorizer, code] of [
          [off, undefined, Errors.SECURITY_DISABLED],
          [on, denied, Errors.CLUSTER_AUTHORIZATION_FAILED],
          [on, undefined, Errors.NONE],
        ] as const
      ) {
        const described = await subject.call(describeAclsHandler, version, filter(), authorizer);
        const made = await subject.call(
          createAclsHandler,
          version,
          { creations: [acl()] },
          authorizer,
        );
        const gone = await subject.call(
          deleteAclsHandler,
          version,
          { filters: [filter()] },
          authorizer,
        );
        expect([described.errorCode, made.results[0]?.errorCode, gone.filterResults[0]?.errorCode])
          .toEqual([code, code, code]);
      }
    }
  });

  test("decide at once, deny first, for super users never", async () => {
    const subject = await metadataBroker({ ...ACLS_ON, "super.users": "User:root; User:boss" });
    const authorizer = new AclAuthorizer(subject.broker.metadata);
    const peer = { host: "::ffff:10.0.0.1", port: 1 };
    const may = (name: string, resource = "orders") =>
      authorizer.authorize({ type: "User", name }, peer, {
        operation: "READ",
        resourceType: "TOPIC",
        name: resource,
      });
    expect([may("alice"), may("root"), may("boss")]).toEqual([false, true, true]);
    await create(subject, acl({ host: "10.0.0.1" }));
    expect([may("alice"), may("bob"), may("alice", "other")]).toEqual([true, false, false]);
    const any = () =>
      authorizer.authorizeAny({ type: "User", name: "alice" }, peer, "READ", "TOPIC");
    expect(any()).toBe(true);
    await create(subject, acl({ resourceName: "*", principal: "User:*", permissionType: DENY }));
    expect([may("alice"), may("root"), any()]).toEqual([false, true, false]);
    await subject.call(deleteAclsHandler, 3, { filters: [filter({ permissionType: DENY })] });
    expect(may("alice")).toBe(true);
    // A restarted broker decides the same.
    const again = await metadataBroker(
      { ...ACLS_ON, "allow.everyone.if.no.acl.found": "true" },
      subject.log,
    );
    const later = new AclAuthorizer(again.broker.metadata);
    const asked = { operation: "READ", resourceType: "TOPIC" } as const;
    const bob = { type: "User", name: "bob" };
    expect(later.authorize(bob, peer, { ...asked, name: "orders" })).toBe(false);
    expect(later.authorize(bob, peer, { ...asked, name: "unmentioned" })).toBe(true);
  });
});

describe("SCRAM credentials", () => {
  const salt = Buffer.from("salt");
  const saltedPassword = pbkdf2Sync("secret", salt, 4096, 32, "sha256");
  const upsertion = (change: Record<string, unknown> = {}) => ({
    name: "alice",
    mechanism: 1,
    iterations: 4096,
    salt,
    saltedPassword,
    ...change,
  });
  type Upsertion = ReturnType<typeof upsertion>;

  async function alter(
    { call }: MetadataBroker,
    upsertions: Upsertion[],
    deletions: { name: string; mechanism: number }[] = [],
  ) {
    const { results } = await call(alterUserScramCredentialsHandler, 0, { upsertions, deletions });
    return Object.fromEntries(results.map(({ user, errorCode }) => [user, errorName(errorCode)]));
  }

  async function describeUsers({ call }: MetadataBroker, users: string[] | null = null) {
    const { errorCode, results } = await call(describeUserScramCredentialsHandler, 0, {
      users: users?.map((name) => ({ name })) ?? null,
    });
    expect(errorCode).toBe(Errors.NONE);
    return results.map(({ user, errorCode: code, credentialInfos }) => [
      user,
      errorName(code),
      credentialInfos.map(({ mechanism, iterations }) => [mechanism, iterations]),
    ]);
  }

  test("are set, changed, described and deleted; keys are RFC 5802's", async () => {
    const subject = await metadataBroker();
    expect(await alter(subject, [upsertion(), upsertion({ name: "bob", iterations: 8192 })]))
      .toEqual({ alice: "NONE", bob: "NONE" });
    expect(await alter(subject, [upsertion({ mechanism: 2, iterations: 5000 })]))
      .toEqual({ alice: "NONE" });
    const again = await metadataBroker({}, subject.log);
    expect(await describeUsers(again, ["alice"])).toEqual([
      ["alice", "NONE", [[1, 4096], [2, 5000]]],
    ]);
    expect(await describeUsers(again)).toHaveLength(2);
    const credential = again.broker.metadata.image.scramCredential("alice", "SCRAM-SHA-256");
    const hmac = (text: string) => new Bun.CryptoHasher("sha256", saltedPassword).update(text);
    const clientKey = hmac("Client Key").digest();
    expect(credential).toMatchObject({
      salt: salt.toString("base64"),
      storedKey: new Bun.CryptoHasher("sha256").update(clientKey).digest("base64"),
      serverKey: hmac("Server Key").digest("base64"),
    });
    expect(JSON.stringify([...again.broker.metadata.image.toRecords()]))
      .not.toContain(saltedPassword.toString("base64"));
    expect(await alter(again, [], [{ name: "alice", mechanism: 1 }])).toEqual({ alice: "NONE" });
    expect(await describeUsers(again, ["alice"])).toEqual([["alice", "NONE", [[2, 5000]]]]);
  });

  test("say what is wrong", async () => {
    const subject = await metadataBroker();
    expect(
      await alter(
        subject,
        [
          upsertion({ name: "" }),
          upsertion({ name: "mechanism", mechanism: 9 }),
          upsertion({ name: "few", iterations: 4095 }),
          upsertion({ name: "many", iterations: 16385 }),
          upsertion({ name: "empty", saltedPassword: Buffer.alloc(0) }),
          upsertion({ name: "twice" }),
          upsertion({ name: "twice", mechanism: 2 }),
          upsertion({ name: "good" }),
        ],
        [{ name: "missing", mechanism: 1 }],
      ),
    ).toEqual({
      "": "UNACCEPTABLE_CREDENTIAL",
      mechanism: "UNSUPPORTED_SASL_MECHANISM",
      few: "UNACCEPTABLE_CREDENTIAL",
      many: "UNACCEPTABLE_CREDENTIAL",
      empty: "UNACCEPTABLE_CREDENTIAL",
      twice: "DUPLICATE_RESOURCE",
      good: "NONE",
      missing: "RESOURCE_NOT_FOUND",
    });
    expect(await describeUsers(subject, ["good", "nobody", "nobody"])).toEqual([
      ["good", "NONE", [[1, 4096]]],
      ["nobody", "DUPLICATE_RESOURCE", []],
    ]);
    expect(await describeUsers(subject, ["nobody"])).toEqual([
      ["nobody", "RESOURCE_NOT_FOUND", []],
    ]);
    const denied = allowAllBut("ALTER CLUSTER", "DESCRIBE CLUSTER");
    const { results } = await subject.call(alterUserScramCredentialsHandler, 0, {
      upsertions: [upsertion()],
      deletions: [],
    }, denied);
    expect(results[0]?.errorCode).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
    const described = await subject.call(describeUserScramCredentialsHandler, 0, {}, denied);
    expect(described.errorCode).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
  });
});

describe("client quotas", () => {
  type Part = [type: string, name: string | null];
  type Op = [key: string, value: number | null];

  const entityOf = (parts: Part[]) =>
    parts.map(([entityType, entityName]) => ({ entityType, entityName }));
  const entryOf = (parts: Part[], ops: Op[]) => ({
    entity: entityOf(parts),
    ops: ops.map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
  });

  async function alter(
    { call }: MetadataBroker,
    entries: ReturnType<typeof entryOf>[],
    validateOnly = false,
  ) {
    const answer = await call(alterClientQuotasHandler, 1, { entries, validateOnly });
    return answer.entries.map((
      { errorCode, errorMessage },
    ) => [errorName(errorCode), errorMessage]);
  }

  async function find(
    { call }: MetadataBroker,
    components: [type: string, matchType: number, match: string | null][],
    strict = false,
  ) {
    const answer = await call(describeClientQuotasHandler, 1, {
      components: components.map(([entityType, matchType, match]) => ({
        entityType,
        matchType,
        match,
      })),
      strict,
    });
    if (answer.errorCode !== Errors.NONE) return errorName(answer.errorCode);
    return (answer.entries ?? []).map(({ entity, values }) =>
      [
        entity.map(({ entityType, entityName }) => `${entityType}=${entityName}`).join(),
        ...values.map(({ key, value }) => `${key}=${value}`),
      ].join(" ")
    ).sort();
  }

  test("are set, found, changed and removed", async () => {
    const subject = await metadataBroker();
    const answers = await alter(subject, [
      entryOf([["user", "alice"]], [["producer_byte_rate", 1000], ["request_percentage", 12.5]]),
      entryOf([["user", null]], [["consumer_byte_rate", 5]]),
      entryOf([["user", "alice"], ["client-id", "app"]], [["controller_mutation_rate", 2]]),
      entryOf([["ip", "10.0.0.1"]], [["connection_creation_rate", 7]]),
    ]);
    expect(answers).toEqual(answers.map(() => ["NONE", null]));
    const again = await metadataBroker({}, subject.log);
    expect(await find(again, [])).toHaveLength(4);
    expect(await find(again, [["user", 0, "alice"]])).toEqual([
      "user=alice producer_byte_rate=1000 request_percentage=12.5",
      "user=alice,client-id=app controller_mutation_rate=2",
    ]);
    expect(await find(again, [["user", 0, "alice"]], true)).toHaveLength(1);
    expect(await find(again, [["user", 1, null]])).toEqual(["user=null consumer_byte_rate=5"]);
    expect(await find(again, [["user", 2, null]])).toHaveLength(3);
    expect(await find(again, [["ip", 2, null]])).toHaveLength(1);
    const { quotas } = again.broker.metadata.image;
    expect(quotas.forClient("alice", "app", "producer_byte_rate")?.value).toBe(1000);
    expect(quotas.forClient("bob", "app", "consumer_byte_rate")).toEqual({
      entity: { user: "bob" },
      value: 5,
    });
    const change = [entryOf([["user", null]], [["consumer_byte_rate", null], ["x", null]])];
    await alter(again, change, true);
    expect(await find(again, [])).toHaveLength(4);
    await alter(again, change);
    expect(await find(again, [])).toHaveLength(3);
  });

  const refusals: [string, Part[], Op[], string][] = [
    ["nobody", [], [["producer_byte_rate", 1]], "Invalid empty client quota entity"],
    ["an unknown type", [["planet", "earth"]], [], "Unhandled client quota entity type: planet"],
    ["an empty name", [["user", ""]], [], "Empty user not supported"],
    ["a type twice", [["user", "a"], ["user", "b"]], [], "duplicate entity entry user"],
    ["an address and a user", [["ip", "1.2.3.4"], ["user", "a"]], [], "Invalid quota entity comb"],
    ["no address", [["ip", "nowhere"]], [], "nowhere is not a valid IP"],
    ["an unknown key", [["user", "a"]], [["toString", 1]], "Invalid configuration key toString"],
    ["an address's key", [["user", "a"]], [["connection_creation_rate", 1]], "Invalid configurat"],
    ["a client's key", [["ip", "1.2.3.4"]], [["producer_byte_rate", 1]], "Invalid configuration"],
    ["zero", [["user", "a"]], [["producer_byte_rate", 0]], "must be greater than 0"],
    ["no number", [["user", "a"]], [["request_percentage", NaN]], "must be greater than 0"],
    ["a fraction", [["user", "a"]], [["producer_byte_rate", 1.5]], "cannot be a fractional value"],
    ["too much", [["ip", null]], [["connection_creation_rate", 2 ** 31]], "too large for an INT"],
    ["a key twice", [["user", "a"]], [["producer_byte_rate", 1], ["producer_byte_rate", 2]], "Dup"],
  ];
  for (const [what, parts, ops, message] of refusals) {
    test(`refuse ${what}, and the others are set`, async () => {
      const subject = await metadataBroker();
      const good = entryOf([["user", "good"]], [["producer_byte_rate", 1]]);
      const [bad, other] = await alter(subject, [entryOf(parts, ops), good]);
      expect(bad?.[0]).toBe("INVALID_REQUEST");
      expect(bad?.[1]).toContain(message);
      expect(other).toEqual(["NONE", null]);
      expect(await find(subject, [])).toHaveLength(1);
    });
  }

  test("refuse an entity that is named twice, bad filters, and who may not", async () => {
    const subject = await metadataBroker();
    const entry = entryOf([["user", "a"]], [["producer_byte_rate", 1]]);
    expect((await alter(subject, [entry, entry])).map(([code]) => code))
      .toEqual(["INVALID_REQUEST"]);
    expect(await find(subject, [])).toEqual([]);
    const bad: [string, number, string | null][][] = [
      [["user", 0, null]],
      [["user", 1, "a"]],
      [["user", 2, "a"]],
      [["user", 7, null]],
      [["", 0, "a"]],
      [["user", 0, "a"], ["user", 0, "b"]],
      [["ip", 2, null], ["user", 2, null]],
    ];
    for (const components of bad) {
      expect([components, await find(subject, components)]).toEqual([
        components,
        "INVALID_REQUEST",
      ]);
    }
    expect(await find(subject, [["planet", 0, "earth"]])).toBe("UNSUPPORTED_VERSION");
    const denied = allowAllBut("ALTER_CONFIGS CLUSTER", "DESCRIBE_CONFIGS CLUSTER");
    for (const version of [0, 1]) {
      const described = await subject.call(describeClientQuotasHandler, version, {}, denied);
      const altered = await subject.call(
        alterClientQuotasHandler,
        version,
        { entries: [entry] },
        denied,
      );
      expect([described.errorCode, altered.entries[0]?.errorCode])
        .toEqual([Errors.CLUSTER_AUTHORIZATION_FAILED, Errors.CLUSTER_AUTHORIZATION_FAILED]);
    }
  });
});
