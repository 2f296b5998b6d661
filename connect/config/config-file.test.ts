import { expect, test } from "bun:test";
import { ConfigFileError, formatProblem, parseConfigFile } from "./config-file.ts";

const FILE = `# where orders go
name: orders-to-lake
connector: s3-sink
topics: [orders, refunds]
tasks.max: 2
version: 007
key:
  converter: string
errors: { tolerance: all, deadletterqueue.topic.name: dead }
transforms:
  - { name: paid, type: expr, where: v.paid }
  - type: ExtractField$Key
    field: id
password: \${env:PASSWORD}
`;

test("maps become dots, lists commas, and every key knows its line", () => {
  const [document] = parseConfigFile("orders.yaml", FILE);
  expect(document?.config).toEqual({
    name: "orders-to-lake",
    "connector.class": "s3-sink",
    topics: "orders,refunds",
    "tasks.max": "2",
    version: "007",
    "key.converter": "string",
    "errors.tolerance": "all",
    "errors.deadletterqueue.topic.name": "dead",
    transforms: "paid,transform2",
    "transforms.paid.type": "expr",
    "transforms.paid.where": "v.paid",
    "transforms.transform2.type": "ExtractField$Key",
    "transforms.transform2.field": "id",
    password: "${env:PASSWORD}",
  });
  const problem = (field: string) => formatProblem(document!, { field, message: "no" });
  expect(problem("connector.class")).toBe("orders.yaml:3: no");
  expect(problem("errors.tolerance")).toBe("orders.yaml:9: no");
  expect(problem("transforms.transform2.field")).toBe("orders.yaml:13: no");
  expect(problem("topic")).toBe("orders.yaml:2: no");
});

test("several documents are several connectors; properties are read as Java does", () => {
  expect(parseConfigFile("a.yaml", "name: a\n---\nname: b\n").map(({ config }) => config)).toEqual([
    { name: "a" },
    { name: "b" },
  ]);
  const text = "# c\nname=x\nconnector.class : FileStreamSource\ntopics=a,\\\n  b\nempty=\n";
  const [document] = parseConfigFile("x.properties", text);
  expect(document?.config).toEqual({
    name: "x",
    "connector.class": "FileStreamSource",
    topics: "a,b",
    empty: "",
  });
  expect(document?.lines.get("topics")).toBe(4);
});

test("what is no config is refused with its line", () => {
  const refused = (text: string) => {
    try {
      parseConfigFile("c.yaml", text);
      return "taken";
    } catch (error) {
      if (error instanceof ConfigFileError) return error.message;
      throw error;
    }
  };
  expect(refused("")).toBe("c.yaml:1: there is no config in it");
  expect(refused("- a\n")).toStartWith("c.yaml:1: a config is a map");
  expect(refused("name: a\nname: b\n")).toStartWith("c.yaml:2: ");
  expect(refused("a: {b: 1}\na.b: 2\n")).toBe('c.yaml:2: "a.b" stands twice');
  expect(refused("topics: ['a,b']\n")).toContain("commas part lists");
  expect(refused("a: [{b: 1}]\n")).toBe('c.yaml:1: "a" has to be one value');
  expect(refused("a: b: c\n")).toStartWith("c.yaml:1: ");
  expect(refused("__proto__: {x: 1}\nname: a\n")).toBe("taken");
});
