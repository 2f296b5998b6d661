import type { Datagrams } from "../io.ts";

/** A world without UDP, for what never gossips. */
export const noDatagrams: Datagrams = {
  bind: () => Promise.reject(new Error("there are no datagrams here")),
};
