/** Commands in an order in which each has something to show; all run with `--json`. */
export interface JsonStep {
  /** Its name in docs/json-schemas.json. */
  readonly command: string;
  /** What follows the name. */
  readonly args: readonly string[];
  readonly input?: string;
  /** Default 0. */
  readonly exitCode?: number;
}

/** Files are written into `directory`. */
export function jsonSteps(directory: string): readonly JsonStep[] {
  const step = (command: string, ...args: string[]): JsonStep => ({ command, args });
  return [
    step("topic create", "orders", "copy-of", "-p", "2", "-c", "retention.ms=3600000"),
    { command: "produce", args: ["orders"], input: "one\ntwo\nthree\n" },
    step("topic list"),
    step("topic describe", "orders", "copy-of"),
    step("topic alter", "orders", "-p", "3", "-c", "retention.ms=7200000"),
    step("topic dump", "orders", "-o", `${directory}/orders.dump`),
    step("wait ready"),
    step("wait topic", "orders"),
    step("wait records", "orders", "--count", "3"),
    step("group seek", "billing", "--create", "--to", "end", "-t", "orders", "--execute"),
    step("group list"),
    step("group describe", "billing"),
    step("wait group", "billing", "--lag", "0"),
    step("config set", "topic", "orders", "segment.bytes=2000000"),
    step("config get", "topic", "orders"),
    step("config unset", "topic", "orders", "segment.bytes"),
    step("acl add", "--allow", "User:alice", "-o", "read", "--topic", "orders"),
    step("acl list"),
    step("acl test", "-p", "User:alice", "-o", "read", "--topic", "orders"),
    step("acl remove", "-p", "User:alice"),
    step("quota set", "--user", "alice", "producer_byte_rate=1000000"),
    step("quota list"),
    step("quota unset", "--user", "alice", "producer_byte_rate"),
    { command: "user set", args: ["alice", "--password-file", "-"], input: "a secret\n" },
    step("user list"),
    step("user delete", "alice"),
    step("txn list"),
    step("txn hanging"),
    step("cluster status"),
    step("cluster upgrade"),
    step("clients"),
    step("dev fault add", "fetch", "topic=nowhere", "latency=1ms", "once"),
    step("dev fault list"),
    step("dev fault remove", "1"),
    step("dev fault clear"),
    step("dev clock"),
    step("profile set", "dev", "brokers=127.0.0.1:1", "sasl-password=x", "sasl-user=x"),
    step("profile list"),
    step("profile show", "dev"),
    step("profile use", "--none"),
    step("profile delete", "dev"),
    step("settings explain"),
    step("group forget", "billing", "orders"),
    step("group delete", "billing"),
    step("topic delete", "orders", "copy-of"),
  ];
}
