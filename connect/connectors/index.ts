/** The built-in connectors by name. Each is loaded when it is used: what it needs may be large. */
import type { ConnectorDefinition } from "../index.ts";

export interface BuiltIn {
  readonly name: string;
  readonly kind: ConnectorDefinition["kind"];
  load(): Promise<ConnectorDefinition>;
}

/** In the order of their names. */
export const BUILT_IN: readonly BuiltIn[] = [
  {
    name: "datagen",
    kind: "source",
    load: async () => (await import("./datagen/datagen.ts")).default,
  },
  {
    name: "exec-sink",
    kind: "sink",
    load: async () => (await import("./exec-sink/exec-sink.ts")).default,
  },
  {
    name: "exec-source",
    kind: "source",
    load: async () => (await import("./exec-source/exec-source.ts")).default,
  },
  {
    name: "file-sink",
    kind: "sink",
    load: async () => (await import("./file-sink/file-sink.ts")).default,
  },
  {
    name: "file-source",
    kind: "source",
    load: async () => (await import("./file-source/file-source.ts")).default,
  },
  {
    name: "stdin",
    kind: "source",
    load: async () => (await import("./stdin/stdin.ts")).default,
  },
  {
    name: "stdout",
    kind: "sink",
    load: async () => (await import("./stdout/stdout.ts")).default,
  },
];
