import { expect, test } from "bun:test";
import { boolean, choice, int, list, secret, string } from "./fields.ts";
import { ConfigError, parseConfig, unknownKeys } from "./parse.ts";

const FIELDS = {
  file: string().doc("The file to read."),
  "batch.size": int({ min: 1 }).default(2000),
  topics: list().default([]),
  eager: boolean().default(false),
  mode: choice("append", "upsert").default("append"),
  password: secret().optional(),
};

test("text becomes what fields say, defaults fill the rest", () => {
  const config = parseConfig(FIELDS, {
    file: " a b ",
    topics: "x, y",
    eager: "TRUE",
    mode: "Upsert",
  });
  expect(config).toEqual({
    file: " a b ",
    "batch.size": 2000,
    topics: ["x", "y"],
    eager: true,
    mode: "upsert",
    password: null,
  });
});

test("everything wrong is said at once, and secrets are not", () => {
  const fields = {
    ...FIELDS,
    password: secret().check((text) => text === "" ? null : "is too long"),
  };
  const read = () =>
    parseConfig(fields, { "batch.size": "0", eager: "yes", mode: "delete", password: "hunter2" });
  expect(read).toThrow(ConfigError);
  try {
    read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.map(({ message }) => message)).toEqual([
      '"file" is missing: The file to read.',
      '"batch.size" must be at least 1, not "0"',
      '"eager" must be true or false, not "yes"',
      '"mode" must be one of append, upsert, not "delete"',
      '"password" is too long',
    ]);
  }
});

test("keys that nothing reads are found, with what may have been meant", () => {
  expect(unknownKeys({ file: "a", "batch.sise": "1", zebra: "1" }, Object.keys(FIELDS))).toEqual([
    {
      field: "batch.sise",
      message: '"batch.sise" is no field of this connector: did you mean "batch.size"?',
      isUnknown: true,
    },
    { field: "zebra", message: '"zebra" is no field of this connector', isUnknown: true },
  ]);
});
