/**
 * What the differential test is made of: an episode is a list of steps that a generator draws from
 * a seed; each step is one request. What a request takes from earlier answers (member ids, producer
 * ids, topic ids) stands in the `Facts` of the broker that gave them, so that any part of an
 * episode can be played, which is how a difference is shrunk.
 */
import type { Api, EncodableRequest, ResponseOf } from "../../../core/protocol/schema.ts";
import { ZERO_UUID } from "../../../core/protocol/schema.ts";
import type { SimRandom } from "../../sim/sim-random.ts";

/** What one broker has answered in an episode, as far as later steps want to know it. */
export class Facts {
  readonly #texts = new Map<string, string>();
  readonly #numbers = new Map<string, number>();
  readonly #topicIds = new Map<string, string>();

  /** `prefix` stands before every name of the episode. */
  constructor(readonly prefix: string) {}

  /** A name of the episode; the empty name stays empty, and `=` takes what follows as it is. */
  name(short: string): string {
    if (short.startsWith("=")) return short.slice(1);
    return short === "" ? "" : this.prefix + short;
  }

  text(key: string, otherwise: string): string {
    return this.#texts.get(key) ?? otherwise;
  }

  setText(key: string, value: string): void {
    this.#texts.set(key, value);
  }

  number(key: string, otherwise: number): number {
    return this.#numbers.get(key) ?? otherwise;
  }

  setNumber(key: string, value: number): void {
    this.#numbers.set(key, value);
  }

  /** The id of a topic of the episode, or one that no topic has. */
  topicId(short: string): string {
    if (short === "") return ZERO_UUID;
    return this.#topicIds.get(this.name(short)) ?? UNKNOWN_ID;
  }

  /** All ids of topics that were met. */
  topicIds(): string[] {
    return [...this.#topicIds.values()];
  }

  learnTopicId(name: string, id: string): void {
    this.#topicIds.set(name, id);
  }

  /** The name behind a topic id, the episode's prefix cut off. */
  nameOfTopicId(id: string): string | null {
    for (const [name, known] of this.#topicIds) {
      if (known === id) return name.replace(this.prefix, "");
    }
    return null;
  }
}

/** A topic id that nothing has. */
export const UNKNOWN_ID = "BBBBBBBBBBBBBBBBBBBBBA";

/** One request of an episode. */
export interface Step {
  readonly api: Api;
  readonly version: number;
  /** Which of the episode's connections it takes. */
  readonly connection: number;
  /** The answer may depend on later steps: the episode goes on when it does not come soon. */
  readonly mayWait: boolean;
  /** Changes what Kafka's brokers learn a little later than they answer. */
  readonly changesMetadata: boolean;
  request(facts: Facts): unknown;
  learn(response: unknown, facts: Facts): void;
}

/** What may be said of a step besides its request. */
export interface StepOptions<A extends Api> {
  readonly version: number;
  readonly connection?: number;
  readonly mayWait?: boolean;
  readonly changesMetadata?: boolean;
  /** Remembers what later steps need. */
  readonly learn?: (response: ResponseOf<A>, facts: Facts) => void;
}

/** A step with the types of its API. */
export function step<A extends Api>(
  api: A,
  request: (facts: Facts) => EncodableRequest<A>,
  options: StepOptions<A>,
): Step {
  return {
    api,
    version: options.version,
    connection: options.connection ?? 0,
    mayWait: options.mayWait ?? false,
    changesMetadata: options.changesMetadata ?? false,
    request,
    // The response was decoded by the same API's codec.
    learn: (response, facts) => options.learn?.(response as ResponseOf<A>, facts),
  };
}

/** What a generator draws from. */
export interface Draw {
  readonly random: SimRandom;
  /** A version that both brokers serve, the last one most often. */
  version(api: Api, least?: number, most?: number): number;
  /** The last common version within the bounds. */
  lastVersion(api: Api, most?: number): number;
}

/** One part of the protocol, with the requests that make sense and those that make none. */
export interface Area {
  readonly name: string;
  /** Without these from our broker there is nothing to compare. */
  readonly needs: readonly Api[];
  /** Steps that are at the start of every episode. */
  setUp(draw: Draw): Step[];
  /** One or a few steps. */
  next(draw: Draw): Step[];
  /** Undoes what outlives an episode, besides topics and groups; played after every episode. */
  cleanUp?(draw: Draw): Step[];
}
