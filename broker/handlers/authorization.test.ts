/**
 * What each API asks the authorizer, against Kafka's own rules (`KafkaApis`, `ControllerApis`). That
 * a handler asks for nothing that it does not declare is checked by `metadataBroker` in its tests.
 */
import { describe, expect, test } from "bun:test";
import { decodeRequest, encodeRequest, joinChunks } from "../../core/protocol/codec.ts";
import type { AnyHandler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { handlers } from "./index.ts";

const CLUSTER_ALTER = "ALTER CLUSTER";
const CLUSTER_DESCRIBE = "DESCRIBE CLUSTER";

/** By API key; an empty list is open to everybody. */
const KAFKA_RULES: Readonly<Record<number, readonly string[]>> = {
  0: ["WRITE TOPIC", "WRITE TRANSACTIONAL_ID"],
  1: ["READ TOPIC", "CLUSTER_ACTION CLUSTER"],
  2: ["DESCRIBE TOPIC"],
  3: ["DESCRIBE TOPIC", "CREATE TOPIC", "CREATE CLUSTER", CLUSTER_DESCRIBE],
  8: ["READ GROUP", "READ TOPIC"],
  9: ["DESCRIBE GROUP", "DESCRIBE TOPIC"],
  10: ["DESCRIBE GROUP", "DESCRIBE TRANSACTIONAL_ID", "CLUSTER_ACTION CLUSTER"],
  11: ["READ GROUP"],
  12: ["READ GROUP"],
  13: ["READ GROUP"],
  14: ["READ GROUP"],
  15: ["DESCRIBE GROUP"],
  16: [CLUSTER_DESCRIBE, "DESCRIBE GROUP"],
  17: [],
  18: [],
  19: ["CREATE CLUSTER", "CREATE TOPIC", "DESCRIBE_CONFIGS TOPIC"],
  20: ["DELETE TOPIC", "DESCRIBE TOPIC"],
  21: ["DELETE TOPIC"],
  22: ["IDEMPOTENT_WRITE CLUSTER", "WRITE TOPIC", "WRITE TRANSACTIONAL_ID"],
  23: ["DESCRIBE TOPIC"],
  24: ["WRITE TRANSACTIONAL_ID", "WRITE TOPIC", "CLUSTER_ACTION CLUSTER"],
  25: ["WRITE TRANSACTIONAL_ID", "READ GROUP"],
  26: ["WRITE TRANSACTIONAL_ID"],
  27: [CLUSTER_ALTER, "CLUSTER_ACTION CLUSTER"],
  28: ["WRITE TRANSACTIONAL_ID", "READ GROUP", "READ TOPIC"],
  29: [CLUSTER_DESCRIBE],
  30: [CLUSTER_ALTER],
  31: [CLUSTER_ALTER],
  32: ["DESCRIBE_CONFIGS TOPIC", "DESCRIBE_CONFIGS GROUP", "DESCRIBE_CONFIGS CLUSTER"],
  33: ["ALTER_CONFIGS TOPIC", "ALTER_CONFIGS GROUP", "ALTER_CONFIGS CLUSTER"],
  34: [CLUSTER_ALTER],
  35: [CLUSTER_DESCRIBE],
  36: [],
  37: ["ALTER TOPIC"],
  // Refused to everybody who has not authenticated.
  38: [],
  39: [],
  40: [],
  41: [],
  42: ["DELETE GROUP"],
  43: [CLUSTER_ALTER],
  44: ["ALTER_CONFIGS TOPIC", "ALTER_CONFIGS GROUP", "ALTER_CONFIGS CLUSTER"],
  45: [CLUSTER_ALTER],
  46: [CLUSTER_DESCRIBE],
  47: ["DELETE GROUP", "READ TOPIC"],
  48: ["DESCRIBE_CONFIGS CLUSTER"],
  49: ["ALTER_CONFIGS CLUSTER"],
  50: [CLUSTER_DESCRIBE],
  51: [CLUSTER_ALTER],
  55: [CLUSTER_DESCRIBE],
  57: [CLUSTER_ALTER],
  60: [CLUSTER_DESCRIBE],
  61: ["READ TOPIC"],
  64: [CLUSTER_ALTER],
  65: ["DESCRIBE TRANSACTIONAL_ID", "DESCRIBE TOPIC"],
  66: ["DESCRIBE TRANSACTIONAL_ID"],
  68: ["READ GROUP", "DESCRIBE TOPIC"],
  69: ["DESCRIBE GROUP", "DESCRIBE TOPIC"],
  71: [],
  72: [],
  74: ["DESCRIBE_CONFIGS CLUSTER"],
  75: ["DESCRIBE TOPIC"],
  76: ["READ GROUP", "DESCRIBE TOPIC"],
  77: ["DESCRIBE GROUP", "DESCRIBE TOPIC"],
  78: ["READ GROUP", "READ TOPIC"],
  79: ["READ GROUP", "READ TOPIC"],
  80: [CLUSTER_ALTER],
  81: [CLUSTER_ALTER],
  83: ["CLUSTER_ACTION CLUSTER"],
  84: ["CLUSTER_ACTION CLUSTER"],
  85: ["CLUSTER_ACTION CLUSTER"],
  86: ["CLUSTER_ACTION CLUSTER"],
  87: ["CLUSTER_ACTION CLUSTER"],
  88: ["READ GROUP", "DESCRIBE TOPIC", "CREATE CLUSTER", "CREATE TOPIC"],
  89: ["DESCRIBE GROUP", "DESCRIBE TOPIC"],
  90: ["DESCRIBE GROUP", "DESCRIBE TOPIC"],
  91: ["READ GROUP", "READ TOPIC"],
  92: ["DELETE GROUP", "READ TOPIC"],
  93: ["READ GROUP"],
  94: [CLUSTER_ALTER],
};

/** What a handler asks, for a request with nothing but defaults. */
function declared({ api, authorize }: AnyHandler): readonly string[] {
  switch (authorize.kind) {
    case "open":
      return [];
    case "items":
      return authorize.operations;
    case "request": {
      const bytes = joinChunks(encodeRequest(api, api.maxVersion, {}));
      const request = decodeRequest(api, api.maxVersion, bytes);
      const context: Partial<RequestContext> = { apiVersion: api.maxVersion };
      return authorize.wants(request, context as RequestContext)
        .map(({ operation, resourceType }) => `${operation} ${resourceType}`);
    }
  }
}

describe("asks what Kafka asks", () => {
  for (const handler of handlers) {
    const { key, name } = handler.api;
    test(`${key} ${name}`, () => {
      // Streams groups are new in 4.x, and what they ask depends on their topology.
      if (key === 88 || key === 89 || key === 93) return;
      expect(declared(handler).toSorted()).toEqual((KAFKA_RULES[key] ?? ["?"]).toSorted());
    });
  }
});
