/** How the leader of a group is asked by its other workers. */
import type { LeaderRequests } from "./herder.ts";

export interface LeaderLink {
  /** Of the worker whose REST API is at `url`. */
  requests(url: string): LeaderRequests;
}

/** The link of a worker that is alone: it is never used. */
export const NO_LINK: LeaderLink = {
  requests: (url) => {
    throw new Error(`a worker alone has no leader elsewhere (${url})`);
  },
};
