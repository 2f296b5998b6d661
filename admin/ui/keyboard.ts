/**
 * Keys: `/` goes to the filter, `g` and a letter to a page, `j` and `k` through a list, `Enter` opens
 * what is chosen there, `?` shows all of them. Nothing happens while somebody types.
 */
import { useEffect } from "preact/hooks";
import { navigate } from "./router.ts";

/** What keys do, for the help. */
export const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["/", "go to the filter or search of the page"],
  ["j, k", "next and previous row of a list"],
  ["Enter", "open the row"],
  ["Esc", "leave a field, close what is open"],
  ["t", "dark, light, or as the system says"],
  ["?", "this help"],
];

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement &&
    (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** What the keys of the shell call. */
export interface ShellKeys {
  /** The path of the page with a letter, or undefined. */
  pathOf(letter: string): string | undefined;
  help(): void;
  theme(): void;
}

const LETTER_MS = 1500;

/** Listens for the keys of the shell. */
export function useShellKeys(keys: ShellKeys): void {
  useEffect(() => {
    let goneMs = -Infinity;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target)) {
        if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
        return;
      }
      if (document.querySelector("dialog[open]") !== null) return;
      const path = event.timeStamp - goneMs < LETTER_MS ? keys.pathOf(event.key) : undefined;
      goneMs = event.key === "g" && path === undefined ? event.timeStamp : -Infinity;
      if (path !== undefined) navigate(path);
      else if (event.key === "/") focusFilter();
      else if (event.key === "?") keys.help();
      else if (event.key === "t") keys.theme();
      else if (event.key === "j" || event.key === "k") {
        moveRow(event.key === "j" ? 1 : -1);
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
}

function focusFilter(): void {
  const filter = document.querySelector<HTMLInputElement>("[data-filter]");
  filter?.focus();
  filter?.select();
}

/** Asks the list of the page to move on. */
function moveRow(by: 1 | -1): void {
  const list = document.querySelector("[data-list]");
  list?.dispatchEvent(new CustomEvent("kstream:move", { detail: by }));
}
