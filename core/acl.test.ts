import { describe, expect, test } from "bun:test";
import { type AclEntry, type AclFilter, AclIndex, aclMatches, type AclQuestion } from "./acl.ts";

const entry = (change: Partial<AclEntry> = {}): AclEntry => ({
  resourceType: "TOPIC",
  resourceName: "orders",
  patternType: "LITERAL",
  principal: "User:alice",
  host: "*",
  operation: "READ",
  permission: "ALLOW",
  ...change,
});

const question = (change: Partial<AclQuestion> = {}): AclQuestion => ({
  principal: "User:alice",
  host: "10.0.0.1",
  operation: "READ",
  resourceType: "TOPIC",
  resourceName: "orders",
  ...change,
});

const anything: AclFilter = {
  resourceType: null,
  resourceName: null,
  patternType: null,
  principal: null,
  host: null,
  operation: null,
  permission: null,
};

/** `allow` or `deny` for the entry that decides, else the kind of the decision. */
function verdict(entries: AclEntry[], asked: Partial<AclQuestion> = {}): string {
  const decision = new AclIndex(entries).decide(question(asked));
  return decision.kind === "entry" ? decision.entry.permission : decision.kind;
}

describe("AclIndex.decide", () => {
  const cases: [string, Partial<AclEntry>[], Partial<AclQuestion>, string][] = [
    ["nothing is about the resource", [{ resourceName: "other" }], {}, "default"],
    ["an entry of another type is not about it", [{ resourceType: "GROUP" }], {}, "default"],
    [
      "somebody else's entry is about it, and that is a no",
      [{ principal: "User:bob" }],
      {},
      "none",
    ],
    ["the literal name", [{}], {}, "ALLOW"],
    ["every name", [{ resourceName: "*" }], {}, "ALLOW"],
    ["a prefix", [{ resourceName: "ord", patternType: "PREFIXED" }], {}, "ALLOW"],
    ["the whole name as a prefix", [{ patternType: "PREFIXED" }], {}, "ALLOW"],
    [
      "a prefix that is too long",
      [{ resourceName: "orders2", patternType: "PREFIXED" }],
      {},
      "default",
    ],
    ["a literal is no prefix", [{ resourceName: "ord" }], {}, "default"],
    ["every user", [{ principal: "User:*" }], {}, "ALLOW"],
    ["the host", [{ host: "10.0.0.1" }], {}, "ALLOW"],
    ["another host", [{ host: "10.0.0.2" }], {}, "none"],
    ["every operation", [{ operation: "ALL" }], { operation: "ALTER" }, "ALLOW"],
    ["another operation", [{ operation: "WRITE" }], {}, "none"],
    ["deny wins", [{}, { permission: "DENY" }], {}, "DENY"],
    ["deny wins from afar", [{}, { permission: "DENY", resourceName: "*" }], {}, "DENY"],
    [
      "deny by prefix wins over a literal",
      [
        {},
        { permission: "DENY", resourceName: "o", patternType: "PREFIXED" },
      ],
      {},
      "DENY",
    ],
    ["read implies describe", [{}], { operation: "DESCRIBE" }, "ALLOW"],
    ["alter configs implies describe configs", [{ operation: "ALTER_CONFIGS" }], {
      operation: "DESCRIBE_CONFIGS",
    }, "ALLOW"],
    ["create implies nothing", [{ operation: "CREATE" }], { operation: "DESCRIBE" }, "none"],
    [
      "denying read denies no describe",
      [
        { permission: "DENY" },
        { operation: "DESCRIBE" },
      ],
      { operation: "DESCRIBE" },
      "ALLOW",
    ],
    [
      "denying all denies describe",
      [
        { permission: "DENY", operation: "ALL" },
        { operation: "DESCRIBE" },
      ],
      { operation: "DESCRIBE" },
      "DENY",
    ],
  ];
  for (const [what, entries, asked, expected] of cases) {
    test(what, () => expect(verdict(entries.map(entry), asked)).toBe(expected));
  }

  test("an entry that was removed decides nothing, and the others still do", () => {
    const prefixed = entry({ resourceName: "ord", patternType: "PREFIXED" });
    const other = entry({ ...prefixed, permission: "DENY", operation: "WRITE" });
    const index = new AclIndex([prefixed, other]);
    index.remove({ ...prefixed });
    expect(index.decide(question()).kind).toBe("none");
    index.remove(other);
    index.remove(other);
    expect(index.decide(question()).kind).toBe("default");
    index.add(prefixed);
    expect(index.decide(question()).kind).toBe("entry");
  });
});

describe("AclIndex.allowsAny", () => {
  const cases: [string, Partial<AclEntry>[], boolean][] = [
    ["nothing", [], false],
    ["one topic", [{}], true],
    ["another operation", [{ operation: "WRITE" }], false],
    ["one topic that is denied too", [{}, { permission: "DENY" }], false],
    ["one topic, denied by prefix", [
      {},
      { permission: "DENY", resourceName: "o", patternType: "PREFIXED" },
    ], false],
    ["a prefix of which a longer one is denied", [
      { resourceName: "o", patternType: "PREFIXED" },
      { permission: "DENY", resourceName: "or", patternType: "PREFIXED" },
    ], true],
    ["all, of which one is denied", [{ resourceName: "*" }, { permission: "DENY" }], true],
    ["one, with all denied", [{}, { permission: "DENY", resourceName: "*" }], false],
  ];
  for (const [what, entries, expected] of cases) {
    test(what, () => expect(new AclIndex(entries.map(entry)).allowsAny(question())).toBe(expected));
  }
});

describe("aclMatches", () => {
  const literal = entry();
  const wildcard = entry({ resourceName: "*" });
  const prefixed = entry({ resourceName: "ord", patternType: "PREFIXED" });
  const cases: [string, Partial<AclFilter>, AclEntry[]][] = [
    ["everything", {}, [literal, wildcard, prefixed]],
    ["a name with any pattern", { resourceName: "ord" }, [prefixed]],
    ["a literal name", { resourceName: "orders", patternType: "LITERAL" }, [literal]],
    ["all prefixes", { patternType: "PREFIXED" }, [prefixed]],
    ["all that applies to a name", { resourceName: "orders", patternType: "MATCH" }, [
      literal,
      wildcard,
      prefixed,
    ]],
    ["all that applies to another", { resourceName: "order", patternType: "MATCH" }, [
      wildcard,
      prefixed,
    ]],
    ["another type", { resourceType: "GROUP" }, []],
    ["another principal", { principal: "User:bob" }, []],
    ["another host", { host: "10.0.0.1" }, []],
    ["another operation", { operation: "ALL" }, []],
    ["another permission", { permission: "DENY" }, []],
  ];
  for (const [what, filter, expected] of cases) {
    test(what, () => {
      const selected = [literal, wildcard, prefixed].filter((each) =>
        aclMatches({ ...anything, ...filter }, each)
      );
      expect(selected).toEqual(expected);
    });
  }
});
