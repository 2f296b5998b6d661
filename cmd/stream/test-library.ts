/**
 * Goes before the tests of applications (`--preload` of Bun's test runner): `kstream/stream` and
 * `kstream/stream/testing` are what this program has of them. The binary carries it as one file.
 */
import * as stream from "../../stream/index.ts";
import * as testing from "../../stream/testing/index.ts";

// What tests start is no runner of tests.
delete process.env["BUN_BE_BUN"];

void Bun.plugin({
  name: "kstream",
  setup(build) {
    const own = { "kstream/stream": stream, "kstream/stream/testing": testing };
    for (const [name, exports] of Object.entries(own)) {
      build.module(name, () => ({ exports: { ...exports }, loader: "object" }));
    }
  },
});
