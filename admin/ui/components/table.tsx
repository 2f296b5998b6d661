/**
 * Tables. Of a long one only the rows that can be seen are in the document: their height is fixed, and
 * empty rows hold the place of the others. `j` and `k` move through the rows (`keyboard.ts`).
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { navigate } from "../router.ts";

/** A column. */
export interface Column<T> {
  readonly name: string;
  readonly show: (item: T) => ComponentChildren;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
  /** Left out where the screen is narrow. */
  readonly isMinor?: boolean;
  /** What it is sorted by, if a click on its head does so. */
  readonly by?: (item: T) => number | string;
}

/** What a table shows. */
export interface TableOptions<T> {
  readonly label: string;
  readonly items: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (item: T) => string | number;
  /** Where a row leads, as a path of the router. */
  readonly linkOf?: (item: T) => string;
  /** What else opening a row does. */
  readonly onOpen?: (item: T) => void;
  /** How many there are in all, if not all are here. */
  readonly total?: number | null;
  /** Called when the end comes near. */
  readonly onEnd?: () => void;
}

const ROW_PX = 34;
const AHEAD_ROWS = 12;

/** The rows that can be seen, of so many; what is sorted has to be there as a whole. */
function useWindow(rows: number, onEnd: (() => void) | undefined, isAllWanted: boolean) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [first, setFirst] = useState(0);
  const [height, setHeight] = useState(innerHeight);
  useEffect(() => {
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      setFirst(Math.max(0, Math.floor(-top / ROW_PX) - AHEAD_ROWS));
      setHeight(innerHeight);
    };
    look();
    addEventListener("scroll", look, { passive: true, capture: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look, { capture: true });
      removeEventListener("resize", look);
    };
  }, [rows]);
  const start = Math.min(first, rows);
  const end = Math.min(rows, first + Math.ceil(height / ROW_PX) + 2 * AHEAD_ROWS);
  useEffect(() => {
    if (end >= rows || isAllWanted) onEnd?.();
  }, [end, rows, isAllWanted]);
  return { body, start, end };
}

/** A table of any length. */
export function Table<T>(options: TableOptions<T>) {
  const { label, columns, keyOf, linkOf, onOpen, total, onEnd } = options;
  const [sort, setSort] = useState<{ name: string; isDown: boolean } | null>(null);
  const items = sorted(
    options.items,
    columns.find(({ name }) => name === sort?.name),
    sort?.isDown,
  );
  const { body, start, end } = useWindow(items.length, onEnd, sort !== null);
  const open = (item: T) => {
    if (onOpen !== undefined) onOpen(item);
    else if (linkOf !== undefined) navigate(linkOf(item));
  };
  const canOpen = onOpen !== undefined || linkOf !== undefined;
  const [chosen, setChosen] = useChosen(body, items.length);
  return (
    <div class="table-box">
      <table
        aria-label={label}
        aria-rowcount={total ?? items.length}
        class={canOpen ? "opens" : ""}
      >
        <Head columns={columns} sort={sort} onSort={setSort} />
        <tbody ref={body} data-list>
          <Space rows={start} columns={columns.length} />
          {items.slice(start, end).map((item, index) => (
            <tr
              key={keyOf(item)}
              data-index={start + index}
              aria-rowindex={start + index + 1}
              tabIndex={canOpen ? (start + index === Math.max(0, chosen) ? 0 : -1) : undefined}
              onFocus={() => setChosen(start + index)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && event.target === event.currentTarget) open(item);
              }}
              onClick={(event) => {
                const isOwn = event.target instanceof Element &&
                  event.target.closest("a,button,input,summary") !== null;
                if (canOpen && !isOwn && getSelection()?.toString() === "") open(item);
              }}
            >
              {columns.map((column) => (
                <td key={column.name} class={classOf(column)}>{column.show(item)}</td>
              ))}
            </tr>
          ))}
          <Space rows={items.length - end} columns={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

function classOf<T>({ isNumber, isMinor }: Column<T>): string {
  return [isNumber ? "number" : "", isMinor ? "minor" : ""].join(" ").trim();
}

function sorted<T>(
  items: readonly T[],
  column: Column<T> | undefined,
  isDown: boolean | undefined,
): readonly T[] {
  const by = column?.by;
  if (by === undefined) return items;
  const order = (a: T, b: T) => {
    const [one, other] = [by(a), by(b)];
    return one < other ? -1 : one > other ? 1 : 0;
  };
  return [...items].sort(isDown ? (a, b) => order(b, a) : order);
}

function Head<T>({ columns, sort, onSort }: {
  columns: readonly Column<T>[];
  sort: { name: string; isDown: boolean } | null;
  onSort: (sort: { name: string; isDown: boolean } | null) => void;
}) {
  const next = (name: string, isNumber: boolean) => {
    if (sort?.name !== name) return { name, isDown: isNumber };
    return sort.isDown === isNumber ? { name, isDown: !isNumber } : null;
  };
  return (
    <thead>
      <tr>
        {columns.map((column) => {
          const { name, by, isNumber = false } = column;
          const isSorted = sort?.name === name;
          const order = !isSorted ? undefined : sort.isDown ? "descending" : "ascending";
          return (
            <th key={name} scope="col" class={classOf(column)} aria-sort={order}>
              {by === undefined
                ? name
                : (
                  <button type="button" onClick={() => onSort(next(name, isNumber))}>
                    {name}
                    <span aria-hidden="true">{!isSorted ? "" : sort.isDown ? " ↓" : " ↑"}</span>
                  </button>
                )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function Space({ rows, columns }: { rows: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    <tr aria-hidden="true" class="space">
      <td colSpan={columns} style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  );
}

/** The row that keys have chosen; it is brought into view and has the focus. */
function useChosen(
  body: { current: HTMLTableSectionElement | null },
  rows: number,
): readonly [number, (row: number) => void] {
  const [chosen, setChosen] = useState(-1);
  useEffect(() => {
    const list = body.current;
    if (list === null) return;
    const move = (event: Event) => {
      if (!(event instanceof CustomEvent) || rows === 0) return;
      const next = Math.max(0, Math.min(rows - 1, chosen + Number(event.detail)));
      setChosen(next);
      bring(list, next);
    };
    list.addEventListener("kstream:move", move);
    return () => list.removeEventListener("kstream:move", move);
  }, [chosen, rows]);
  return [chosen, setChosen];
}

/** Scrolls a row into view, and focuses it once it is in the document. */
function bring(list: HTMLTableSectionElement, row: number): void {
  const top = list.getBoundingClientRect().top + scrollY + row * ROW_PX;
  if (top < scrollY + 120 || top > scrollY + innerHeight - 80) {
    scrollTo(0, top - innerHeight / 2);
  }
  requestAnimationFrame(() => {
    requestAnimationFrame(() => {
      list.querySelector<HTMLElement>(`tr[data-index="${row}"]`)?.focus({ preventScroll: true });
    });
  });
}
