import { expect, test } from "bun:test";
import type { LogFields } from "../../core/logger.ts";
import { KnownSecrets } from "./known-secrets.ts";
import { ConfigError } from "./parse.ts";
import { resolveSecrets } from "./secrets.ts";

const VALUES: Readonly<Record<string, string>> = {
  A: 'pass "word" & more',
  LONG: "sesame-opens-it",
  PART: "sesame",
  SHORT: "abc",
};

function known(): KnownSecrets {
  const secrets = new KnownSecrets({
    env: (name) => VALUES[name],
    readFile: () => "user=me\npassword=from-a-file\n",
  });
  const raw = Object.fromEntries(Object.keys(VALUES).map((name) => [name, `\${env:${name}}`]));
  resolveSecrets({ ...raw, file: "x${file:/etc/db:password}y" }, secrets);
  return secrets;
}

test("what references stand for is not said, in any form that texts have it in", () => {
  const secrets = known();
  const said = [
    `not "${VALUES["A"]}"`,
    JSON.stringify({ a: VALUES["A"] }),
    `http://host/?key=${encodeURIComponent(VALUES["A"] ?? "")}`,
    "sesame-opens-it, sesame",
    "xfrom-a-filey",
  ];
  expect(said.map((text) => secrets.hidden(text))).toEqual([
    'not "${env:A}"',
    '{"a":"${env:A}"}',
    "http://host/?key=${env:A}",
    "${env:LONG}, ${env:PART}",
    "x${file:/etc/db:password}y",
  ]);
  // What is so short stands in every text.
  expect(secrets.hidden("abc")).toBe("abc");
});

test("errors, problems and lines of logs are said without them", () => {
  const secrets = known();
  const problems = [{ field: "f", message: '"f" is "sesame"' }];
  expect(secrets.hiddenError(new ConfigError(problems)).message).toBe('"f" is "${env:PART}"');
  expect(secrets.hiddenError(new Error("sesame")).stack).not.toContain("sesame");
  const lines: [string, LogFields | undefined][] = [];
  const note = (message: string, fields?: LogFields) => void lines.push([message, fields]);
  const base = { debug: note, info: note, warn: note, error: note, with: () => base };
  secrets.logger(base).with({ a: 1 }).warn("it is sesame", { error: "sesame", attempt: 2 });
  expect(lines).toEqual([["it is ${env:PART}", { error: "${env:PART}", attempt: 2 }]]);
});
