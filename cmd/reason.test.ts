import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { reasonOf } from "./reason.ts";

function failureOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

test("what the system says is told without its code and call", () => {
  const dir = mkdtempSync(join(tmpdir(), "kstream-reason-"));
  const missing = failureOf(() => readFileSync(join(dir, "a, b 'c'")));
  expect(reasonOf(missing)).toBe("no such file or directory");
  expect(reasonOf(failureOf(() => readFileSync(dir)))).toMatch(/^[a-z ]*directory[a-z ]*$/);
});

test("what is no error of the system stays as it is, as one line", () => {
  expect(reasonOf(new Error("it has to begin with: topics, or not"))).toBe(
    "it has to begin with: topics, or not",
  );
  expect(reasonOf(new Error("first\nsecond"))).toBe("first");
  expect(reasonOf("text")).toBe("text");
});

test("a server that is not there is told without advice for programmers", async () => {
  const refused = await fetch("http://127.0.0.1:1").catch((error: unknown) => error);
  expect(reasonOf(refused)).toBe("the connection is refused");
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.terminate() },
  });
  const closed = await fetch(`http://127.0.0.1:${server.port}`).catch((error: unknown) => error);
  expect(reasonOf(closed)).toBe("it closes the connection");
});
