/** Dark and light: as the system says, unless somebody has chosen. */
import { useState } from "preact/hooks";

/** What can be chosen. */
export type Theme = "system" | "light" | "dark";

const KEY = "kstream.theme";
const NEXT: Readonly<Record<Theme, Theme>> = { system: "dark", dark: "light", light: "system" };

/** What the pages look like has changed. */
export const THEME_CHANGED = "kstream:theme";

function stored(): Theme {
  const text = localStorage.getItem(KEY);
  return text === "light" || text === "dark" ? text : "system";
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  dispatchEvent(new Event(THEME_CHANGED));
}

/** Puts what was chosen in force. */
export function initTheme(): void {
  apply(stored());
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", () => dispatchEvent(new Event(THEME_CHANGED)));
}

/** The theme, and what goes on to the next one. */
export function useTheme(): readonly [Theme, () => void] {
  const [theme, setTheme] = useState(stored);
  const next = () => {
    const chosen = NEXT[stored()];
    localStorage.setItem(KEY, chosen);
    apply(chosen);
    setTheme(chosen);
  };
  return [theme, next];
}
