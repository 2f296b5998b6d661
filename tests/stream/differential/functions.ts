/** The functions that cases name, as StreamsOracle.java has them. */
type Text = string | null;

function unknown(fn: string): never {
  throw new Error(`there is no function "${fn}"`);
}

export function holds(fn: string, key: Text, value: Text): boolean {
  switch (fn) {
    case "long":
      return value !== null && value.length > 2;
    case "keyed":
      return key !== null;
    case "has-b":
      return value !== null && value.includes("b");
    case "never":
      return false;
    default:
      return unknown(fn);
  }
}

export function keyOf(fn: string, key: Text, value: Text): Text {
  switch (fn) {
    case "first":
      return value === null || value === "" ? null : value.slice(0, 1);
    case "same":
      return key;
    case "value":
      return value;
    case "one":
      return "one";
    default:
      return unknown(fn);
  }
}

export function mapped(fn: string, key: Text, value: Text): Text {
  switch (fn) {
    case "upper":
      return value?.toUpperCase() ?? null;
    case "with-key":
      return `${key}/${value}`;
    case "null-if-b":
      return value === null || value.includes("b") ? null : value;
    default:
      return unknown(fn);
  }
}

export function several(fn: string, value: Text): string[] {
  switch (fn) {
    case "none":
      return [];
    case "twice":
      return value === null ? [] : [value, `${value}!`];
    case "letters":
      return value === null ? [] : [...value];
    default:
      return unknown(fn);
  }
}

export function joined(fn: string, left: Text, right: Text): Text {
  switch (fn) {
    case "both":
      return `${left}|${right}`;
    case "left":
      return left;
    case "null-if-b":
      return left?.includes("b") ? null : `${left}|${right}`;
    default:
      return unknown(fn);
  }
}

export function removed(fn: string, aggregate: Text, value: Text): Text {
  switch (fn) {
    case "concat":
      return `${aggregate}-${value}`;
    case "last":
      return null;
    case "null-if-b":
      return value?.includes("b") ? null : aggregate;
    default:
      return unknown(fn);
  }
}

export function added(fn: string, aggregate: Text, value: Text): Text {
  switch (fn) {
    case "concat":
      return `${aggregate}+${value}`;
    case "last":
      return value;
    case "null-if-b":
      // As in Java: null has no text.
      if (value === null) throw new TypeError("the value is null");
      return value.includes("b") ? null : `${aggregate}${value}`;
    default:
      return unknown(fn);
  }
}
