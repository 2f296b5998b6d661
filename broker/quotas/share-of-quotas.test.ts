import { expect, test } from "bun:test";
import { ClientQuotas } from "../../cluster/client-quotas.ts";
import { shareOfQuotas } from "./share-of-quotas.ts";

test("brokers that share a host divide the rates of clients, but not the controller's", () => {
  const user = { user: "amy" };
  const quotas = ClientQuotas.EMPTY.with([
    { entity: user, key: "producer_byte_rate", value: 1000 },
    { entity: user, key: "controller_mutation_rate", value: 10 },
    { entity: { ip: "10.0.0.1" }, key: "connection_creation_rate", value: 8 },
  ]);
  expect(shareOfQuotas(quotas, 1)).toBe(quotas);
  const share = shareOfQuotas(quotas, 4);
  expect(share.isEmpty).toBe(false);
  expect(share.forClient("amy", "", "producer_byte_rate")).toEqual({ entity: user, value: 250 });
  expect(share.forClient("amy", "", "controller_mutation_rate")?.value).toBe(10);
  expect(share.forClient("bob", "", "producer_byte_rate")).toBeUndefined();
  expect(share.forIp("10.0.0.1", "connection_creation_rate")?.value).toBe(2);
});
