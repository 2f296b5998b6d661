/** The B+ tree of `sorted-btree`. */
import sorted from "sorted-btree";

/** Of this CommonJS module Bun's default is the class, Node's and that of the types all exports. */
type Sorted = typeof sorted extends { readonly default: infer C } ? C : typeof sorted;
export const SortedMap = ((sorted as { readonly default?: unknown }).default ?? sorted) as Sorted;
export type SortedMap<K, V> = InstanceType<typeof SortedMap<K, V>>;
