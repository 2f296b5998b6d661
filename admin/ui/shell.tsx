/** What is around every page: navigation, theme, keys, help. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Dialog } from "./components/dialog.tsx";
import { Empty } from "./components/notes.tsx";
import { at } from "./data/api.ts";
import { MeContext, nameOf, useMe } from "./data/me.ts";
import { useResource } from "./data/use-resource.ts";
import { KEYS, useShellKeys } from "./keyboard.ts";
import { PAGES } from "./pages.ts";
import { href, match, type Place, type Route, RouteContext, useLocation } from "./router.ts";
import { type Theme, useTheme } from "./theme.ts";

/** Who looks may be allowed more or less meanwhile. */
const ME_EVERY_MS = 60_000;

/** The whole document. */
export function Shell() {
  const place = useLocation();
  const [theme, nextTheme] = useTheme();
  const [hasHelp, setHelp] = useState(false);
  const { data: me } = useResource(at("/v1/me"), ME_EVERY_MS);
  const main = useRef<HTMLElement>(null);
  useShellKeys({
    pathOf: (letter) => PAGES.find((page) => page.letter === letter)?.path,
    help: () => setHelp(true),
    theme: nextTheme,
  });
  useEffect(() => scrollTo(0, 0), [place.path]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the page
      </a>
      <MeContext.Provider value={me}>
        <Header place={place} theme={theme} onTheme={nextTheme} onHelp={() => setHelp(true)} />
        <main id="main" ref={main} tabIndex={-1}>
          <CurrentPage place={place} />
        </main>
      </MeContext.Provider>
      {hasHelp && <Help onClose={() => setHelp(false)} />}
    </>
  );
}

function Header({ place, theme, onTheme, onHelp }: {
  place: Place;
  theme: Theme;
  onTheme: () => void;
  onHelp: () => void;
}) {
  const user = nameOf(useMe());
  const nav = useRef<HTMLElement>(null);
  // Where the screen is narrow not all pages are in view.
  useEffect(() => {
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({
      block: "nearest",
      inline: "nearest",
    });
  }, [place.path]);
  const isIn = (path: string) =>
    path === "/" ? place.path === "/" : `${place.path}/`.startsWith(`${path}/`);
  return (
    <header class="top">
      <a class="brand" href={href("/")}>kstream</a>
      <nav aria-label="Pages" ref={nav}>
        {PAGES.map(({ title, path }) => (
          <a key={path} href={href(path)} aria-current={isIn(path) ? "page" : undefined}>{title}</a>
        ))}
      </nav>
      <div class="tools">
        {user !== null && <span class="user" title="Who is logged in">{user}</span>}
        <button type="button" class="quiet" onClick={onTheme} title="Theme (t)">
          {THEME_NAMES[theme]}
        </button>
        <button type="button" class="quiet" onClick={onHelp} title="Keys (?)" aria-label="Help">
          ?
        </button>
      </div>
    </header>
  );
}

const THEME_NAMES: Readonly<Record<Theme, string>> = {
  system: "Auto",
  dark: "Dark",
  light: "Light",
};

function CurrentPage({ place }: { place: Place }) {
  for (const { title, routes } of PAGES) {
    for (const [pattern, Component] of routes) {
      const params = match(pattern, place.path);
      if (params === null) continue;
      const route: Route = { ...place, params };
      const names = Object.values(params);
      return (
        <RouteContext.Provider value={route}>
          <Title text={[...names, title].join(" · ")} />
          <Component key={`${pattern} ${names[0] ?? ""}`} />
        </RouteContext.Provider>
      );
    }
  }
  return (
    <Empty title="There is no such page">
      <a href={href("/")}>Go to the overview</a>
    </Empty>
  );
}

function Title({ text }: { text: string }) {
  useEffect(() => {
    document.title = `${text} · kstream`;
  }, [text]);
  return null;
}

function Help({ onClose }: { onClose: () => void }) {
  const pages = PAGES.map(({ letter, title }) => [`g ${letter}`, title] as const);
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {[...pages, ...KEYS].map(([keys, what]) => (
          <div key={keys}>
            <dt>{keys.split(/, | /).map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
