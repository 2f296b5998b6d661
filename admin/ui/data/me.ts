/** Who looks at these pages, and what is not for them to see. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "./model.ts";

/** Null until it is known. */
export const MeContext = createContext<Me | null>(null);

/** Who looks; null until it is known. */
export function useMe(): Me | null {
  return useContext(MeContext);
}

/** Who asks where nobody has to say who they are. */
const ANONYMOUS = "User:ANONYMOUS";

/** The user's name, or null where the server asks nobody who they are. */
export function nameOf(me: Me | null): string | null {
  return me === null || me.principal === ANONYMOUS ? null : me.principal.replace(/^User:/, "");
}
