/** Stores by name, with the type that they have: what `addStateStore` gives to those who ask for one. */

/** See the head of the file. */
export interface StoreHandle<S> {
  readonly name: string;
  /** For types alone. */
  readonly type?: S;
}

/** A store that a processor asks for: by its handle, or by its name. */
export type StoreName = string | StoreHandle<unknown>;

export function nameOfStore(store: StoreName): string {
  return typeof store === "string" ? store : store.name;
}
