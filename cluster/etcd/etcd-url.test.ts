import { expect, test } from "bun:test";
import { parseEtcdUrl } from "./etcd-url.ts";

test("addresses of etcd as people write them", () => {
  expect(parseEtcdUrl("etcd://host")).toEqual({ endpoints: ["http://host:2379"] });
  expect(parseEtcdUrl("etcd://a:1,[::1]:2,10.0.0.3/")).toEqual({
    endpoints: ["http://a:1", "http://[::1]:2", "http://10.0.0.3:2379"],
  });
  expect(parseEtcdUrl("etcd://u%40x:p%3A%2Fw:d@a?ca=ca.pem&cert=c.pem&key=/k.pem")).toEqual({
    endpoints: ["https://a:2379"],
    user: "u@x",
    password: "p:/w:d",
    tls: { ca: "ca.pem", cert: "c.pem", key: "/k.pem" },
  });
  expect(parseEtcdUrl("etcd://a?tls=true")).toEqual({ endpoints: ["https://a:2379"], tls: {} });
});

test("what is no address of etcd is refused, without showing a password", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ["http://a", "not as addresses"],
    ["etcd://", "not as addresses"],
    ["etcd://a,", '"" is no host'],
    ["etcd://a:0", '"a:0" is no host'],
    ["etcd://a:70000", "is no host"],
    ["etcd://a b", "is no host"],
    ["etcd://user@a", "user:password"],
    ["etcd://user:sec%ret@a", "%25"],
    ["etcd://a?cA=x", "no option"],
    ["etcd://a?tls=maybe", "true or false"],
    ["etcd://a?tls=false&ca=x", "contradicts"],
    ["etcd://a?cert=x", "belong together"],
  ];
  for (const [url, why] of wrong) {
    expect(() => parseEtcdUrl(url)).toThrow(why);
    expect(() => parseEtcdUrl(url)).not.toThrow("sec");
  }
});
