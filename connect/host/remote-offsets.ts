/** Offsets that a host asks its worker for. */
import { isSourceMap } from "../data/record.ts";
import type { SourceMap } from "../data/record.ts";
import { partitionText } from "../offsets/offset-store.ts";
import type { OffsetStore, StoredOffset, TransactionalOffsets } from "../offsets/offset-store.ts";
import type { Handler, Rpc } from "./rpc.ts";
import { Said, UnreadableError } from "./said.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** See the head of the file. */
export class RemoteOffsets implements OffsetStore {
  readonly transactional: TransactionalOffsets | null;
  /** Keys as they stand in the topic, which somebody else may have written in another order. */
  readonly #keys = new Map<string, string>();

  constructor(private readonly rpc: Rpc, transactionalTopic: string | null) {
    this.transactional = transactionalTopic === null ? null : {
      topic: transactionalTopic,
      entries: (connector, offsets) => offsets.map((each) => this.#entry(connector, each)),
    };
  }

  async get(connector: string, partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]> {
    const answer = new Said(await this.rpc.ask("offsets", { connector, partitions }));
    const keys = answer.list("keys");
    for (const [i, partition] of partitions.entries()) {
      const key = keys[i];
      if (typeof key === "string") this.#keys.set(nameOf(connector, partition), key);
    }
    return answer.list("offsets").map(mapOrNull);
  }

  async list(connector: string): Promise<StoredOffset[]> {
    return storedOf(await this.rpc.ask("listOffsets", { connector }));
  }

  async set(connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    await this.rpc.ask("setOffsets", { connector, offsets });
  }

  /** It is the worker's. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  #entry(connector: string, { partition, offset }: StoredOffset) {
    const key = this.#keys.get(nameOf(connector, partition)) ??
      JSON.stringify([connector, partition]);
    return {
      key: encoder.encode(key),
      value: offset === null ? null : encoder.encode(JSON.stringify(offset)),
    };
  }
}

/** What the worker answers them with. */
export function offsetHandlers(store: OffsetStore): [string, Handler][] {
  return [
    ["offsets", async (said) => {
      const asked = new Said(said);
      const connector = asked.text("connector");
      const partitions = asked.list("partitions").map(mapOf);
      const offsets = await store.get(connector, partitions);
      const nothing = partitions.map((partition) => ({ partition, offset: null }));
      const entries = store.transactional?.entries(connector, nothing) ?? [];
      return { offsets, keys: entries.map(({ key }) => decoder.decode(key)) };
    }],
    ["listOffsets", (said) => store.list(new Said(said).text("connector"))],
    ["setOffsets", (said) => {
      const asked = new Said(said);
      return store.set(asked.text("connector"), storedOf(asked.any("offsets")));
    }],
  ];
}

function nameOf(connector: string, partition: SourceMap): string {
  return `${connector} ${partitionText(partition)}`;
}

/** Offsets as messages have them. Throws `UnreadableError`. */
export function storedOf(value: unknown): StoredOffset[] {
  const list = new Said({ list: value }).list("list");
  return list.map((each) => {
    const said = new Said(each);
    return { partition: mapOf(said.any("partition")), offset: mapOrNull(said.any("offset")) };
  });
}

function mapOrNull(value: unknown): SourceMap | null {
  return value === null ? null : mapOf(value);
}

function mapOf(value: unknown): SourceMap {
  if (isSourceMap(value)) return value;
  throw new UnreadableError("a message has something else where an offset should be");
}
