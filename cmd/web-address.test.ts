import { expect, test } from "bun:test";
import { urlBelow, webAddress } from "./web-address.ts";

const KIND = { flag: "--worker", what: "a worker's REST API", example: "http://127.0.0.1:8083" };

test("an address has a path that others are below, and name and password apart", () => {
  const plain = webAddress("localhost:8083", KIND);
  expect([plain.base.href, plain.headers]).toEqual(["http://localhost:8083/", {}]);
  expect(urlBelow(plain, "/connectors?expand=status").href).toBe(
    "http://localhost:8083/connectors?expand=status",
  );
  const below = webAddress("https://a%40b:c%3Ad@host/v1/connect", KIND);
  expect(urlBelow(below, "/connectors/x%2Fy").href).toBe(
    "https://host/v1/connect/connectors/x%2Fy",
  );
  const basic = Buffer.from("a@b:c:d").toString("base64");
  expect(below.headers).toEqual({ authorization: `Basic ${basic}` });
});

test("what is none is refused without its password", () => {
  for (const text of ["ftp://joe:secret@host", "http://joe:sec%ret@host", "http://", "off"]) {
    expect(() => webAddress(text, KIND)).toThrow(/^--worker cannot be read: "(?!.*sec)/);
  }
});
