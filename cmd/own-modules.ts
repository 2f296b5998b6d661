/**
 * What users' modules import of this program: itself, whatever stands in `node_modules` for editors, so
 * that both sides have the same classes. Each is loaded when the first module asks for it.
 */

const OWN: Readonly<Record<string, () => Promise<object>>> = {
  "kstream/connect": () => import("../connect/index.ts"),
  "kstream/connect/testing": () => import("../connect/testing/index.ts"),
  "kstream/stream": () => import("../stream/index.ts"),
  "kstream/stream/testing": () => import("../stream/testing/index.ts"),
};

let isOffered = false;

/** See the head of the file; for modules that this process imports from now on. */
export function offerOwnModules(): void {
  if (isOffered) return;
  isOffered = true;
  void Bun.plugin({
    name: "kstream",
    setup(build) {
      for (const [name, load] of Object.entries(OWN)) {
        build.module(name, async () => ({ exports: { ...await load() }, loader: "object" }));
      }
    },
  });
}
